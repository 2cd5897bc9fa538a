"""Conversations that continue: one S3 object for each session, written once per turn."""
