"""Received traces: their data model, and how a person sees them.

Not here: receiving them (`fakes`) and what the function records (`traced_agent`).
"""
