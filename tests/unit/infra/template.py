"""Reads parts of a CloudFormation template."""

from typing import Any


def resources(template: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [one["Properties"] for one in template["Resources"].values() if one["Type"] == kind]


def one(template: dict[str, Any], kind: str) -> dict[str, Any]:
    (properties,) = resources(template, kind)
    return properties


def function_of(template: dict[str, Any]) -> dict[str, Any]:
    return one(template, "AWS::Lambda::Function")


def statements_of(template: dict[str, Any]) -> list[dict[str, Any]]:
    return one(template, "AWS::IAM::Policy")["PolicyDocument"]["Statement"]


def allowed_of(template: dict[str, Any]) -> set[str]:
    actions = [statement["Action"] for statement in statements_of(template)]
    return {action for one in actions for action in ([one] if isinstance(one, str) else one)}
