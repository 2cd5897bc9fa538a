"""The local cloud: the deployed bytes, run on this machine."""
