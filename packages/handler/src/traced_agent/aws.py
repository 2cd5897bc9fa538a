"""The one way to AWS."""

import functools

import boto3


@functools.cache
def session(region: str) -> boto3.Session:
    """The session that every client is made from: a second client on it costs a tenth of a second session.

    Its region is the model's; a client of anything else says its own.
    """
    return boto3.Session(region_name=region)
