"""Lambda's limits (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html)."""

ZIPPED = 50 * 1024 * 1024
"""Bytes of one zip in a direct upload."""

UNZIPPED = 262_144_000
"""Bytes, unzipped, of the function and all its layers together."""
