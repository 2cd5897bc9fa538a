"""The trace of a run: its spans, their export after the response, and the backends that receive them.

Nothing here knows HTTP requests or the agent; log lines and metrics are in `logs` and `metrics`.
"""
