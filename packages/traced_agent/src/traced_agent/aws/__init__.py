"""Access to AWS services: the shared boto3 session and secrets from Secrets Manager.

The model's client is built in the owner's `agent.py`, from this session.
"""
