"""How a response leaves the function: server-sent events and Lambda response streaming, or buffered.

What a response says is decided elsewhere: in `http` and in `run`.
"""
