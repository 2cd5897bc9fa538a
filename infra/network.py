"""The connection of the function to a VPC, for a Langfuse server or tools that are reachable only there."""

from collections.abc import Sequence
from typing import cast

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

ACTIONS = (
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
)
"""Source: "Giving Lambda functions access to resources in an Amazon VPC", AWS Lambda developer guide."""


def connect(
    function: lambda_.Function, role: iam.Role, subnet_ids: Sequence[str], security_group_ids: Sequence[str]
) -> None:
    """Connect a function to subnets, by their ids alone: the CDK's own `vpc=` would look the VPC up."""
    resource = cast("lambda_.CfnFunction", function.node.default_child)
    resource.vpc_config = lambda_.CfnFunction.VpcConfigProperty(
        subnet_ids=list(subnet_ids), security_group_ids=list(security_group_ids)
    )
    role.add_to_policy(iam.PolicyStatement(actions=list(ACTIONS), resources=["*"]))
    cdk.Validations.of(role).acknowledge(
        cdk.Acknowledgment(
            id="AwsSolutions-IAM5[Resource::*]",
            reason="Lambda names the network interfaces, and EC2's Describe actions take no resources",
        )
    )
