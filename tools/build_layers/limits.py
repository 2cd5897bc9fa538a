"""Lambda's limits (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).

The limit of 50 MB for a zip is that of direct uploads; the CDK deploys layers from S3, without that limit.
"""

UNZIPPED = 262_144_000
"""Bytes, unzipped, of the function and all its layers together."""
