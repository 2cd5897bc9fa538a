"""AWS regions: where Function URLs exist, and the consoles of the partitions.

Sources, November 2026: "Creating and managing Lambda function URLs" in the AWS Lambda developer guide, and
the regions of CloudFormation's resource type AWS::Lambda::Url.
"""

from collections.abc import Mapping

WITHOUT_FUNCTION_URLS: Mapping[str, str] = {
    "ap-east-2": "ap-northeast-1",
    "ap-south-2": "ap-south-1",
    "ap-southeast-4": "ap-southeast-2",
    "ap-southeast-5": "ap-southeast-1",
    "ap-southeast-6": "ap-southeast-2",
    "ap-southeast-7": "ap-southeast-1",
    "ca-west-1": "ca-central-1",
    "eu-central-2": "eu-central-1",
    "eu-south-2": "eu-west-3",
    "il-central-1": "eu-south-1",
    "me-central-1": "me-south-1",
    "mx-central-1": "us-east-1",
}
"""Regions without Function URLs, each with the nearest region that has them."""

_CONSOLES = {"cn": "console.amazonaws.cn", "us-gov": "console.amazonaws-us-gov.com"}


class RegionError(ValueError):
    """A region in which the stack cannot be deployed; the message names another region."""


def check(region: str) -> None:
    """Reject a region without Function URLs, or without Amazon Bedrock.

    Raises:
        RegionError: with the nearest region that can be used.
    """
    if nearest := WITHOUT_FUNCTION_URLS.get(region):
        raise RegionError(f"Lambda has no Function URLs in {region}: use -c region={nearest}")
    if region.startswith("cn-"):
        raise RegionError(
            f"Amazon Bedrock is not available in {region}: use a region outside China, with -c region=REGION"
        )
    if region.startswith("us-gov-"):
        raise RegionError(
            f"Lambda has no Function URLs in {region}: use a region outside GovCloud, with -c region=REGION"
        )


def console(region: str) -> str:
    """The host of the AWS console for a region, which depends on the region's partition."""
    own = (host for prefix, host in _CONSOLES.items() if region.startswith(f"{prefix}-"))
    return f"{region}.{next(own, 'console.aws.amazon.com')}"
