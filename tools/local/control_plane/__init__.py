"""The AWS API on loopback: MiniStack, the CDK CLI that deploys to it, and the deployed function read back.

Not here: running a function; the control plane stores bytes and runs nothing.
"""
