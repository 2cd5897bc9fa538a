"""Execution environments: processes with AWS's runtime client against a local Runtime and Extensions API.

Not here: HTTP requests of callers (`function_url`) and where the code comes from (`control_plane`).
"""
