"""A fake of AWS for the commands, and a stack as the assembly describes it."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tools.aws.assembly import StackPlan

OPTIONS = {
    "auth": "none",
    "region": "us-east-1",
    "stack_name": "my-agent",
    "model_id": "us.a.model",
    "langfuse_secret": "",
    "default_secret": False,
    "otlp_endpoint": "",
    "otlp_headers_secret": "",
    "cors_origins": [],
    "sessions": False,
    "retain": False,
}


class FakeAws:
    """Every service at once; operations answer, or fail with the code that they are given."""

    def __init__(self, **operations: Any) -> None:
        self._operations = operations
        self.called: list[str] = []
        self.arguments: dict[str, dict[str, Any]] = {}

    def __call__(self, service: str) -> "FakeAws":
        return self

    def get_paginator(self, operation: str) -> Any:
        owner = self

        class Paginator:
            def paginate(self, **arguments: Any) -> list[Any]:
                return [getattr(owner, operation)(**arguments)]

        return Paginator()

    def __getattr__(self, operation: str) -> Any:
        def call(**arguments: Any) -> Any:
            self.called.append(operation)
            self.arguments[operation] = arguments
            answer = self._operations.get(operation, {})
            if callable(answer):
                answer = answer(**arguments)
            if isinstance(answer, str):
                raise ClientError({"Error": {"Code": answer}}, operation)
            return answer

        return call


@pytest.fixture
def fake_aws() -> type[FakeAws]:
    """Makes a fake of AWS: `fake_aws(describe_stacks={"Stacks": []}, get_parameter="ParameterNotFound")`."""
    return FakeAws


@pytest.fixture
def make_plan() -> Callable[..., StackPlan]:
    """Makes a stack as it was synthesized, with some options."""

    def make(name: str = "my-agent", **options: Any) -> StackPlan:
        return StackPlan(
            name=name,
            agent="handler",
            source="packages/handler/src",
            region=options.get("region", "us-east-1"),
            bootstrap_parameter="/cdk-bootstrap/hnb659fds/version",
            commit="0a1b2c3d",
            default_secret="my-agent/langfuse",
            options={**OPTIONS, **options},
        )

    return make


@pytest.fixture
def stack_of() -> Callable[..., dict[str, Any]]:
    """Makes a stack as CloudFormation describes it."""

    def make(name: str = "my-agent", status: str = "CREATE_COMPLETE", **more: Any) -> dict[str, Any]:
        outputs = {
            "FunctionUrl": "https://abc.lambda-url.us-east-1.on.aws/",
            "FunctionName": "f",
            "LogGroupName": "g",
            "DashboardUrl": "d",
            **more.pop("outputs", {}),
        }
        return {
            "StackName": name,
            "StackStatus": status,
            "CreationTime": "2026-11-27",
            "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()],
            **more,
        }

    return make
