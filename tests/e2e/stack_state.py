"""What a control plane holds of a stack."""

from pathlib import Path
from typing import Any

from tests.example_agent.control_plane import CliControlPlane


def outputs(plane: CliControlPlane, stack: str) -> dict[str, str]:
    """The outputs of a deployed stack."""
    (found,) = plane.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}


def visible_text(plane: CliControlPlane, stack: str) -> str:
    """What a caller can read of the stack without access to its secrets."""
    cloudformation, function = plane.client("cloudformation"), plane.client("lambda")
    visible = [
        cloudformation.describe_stacks(),
        cloudformation.describe_stack_events(StackName=stack),
        cloudformation.get_template(StackName=stack),
        [
            function.get_function(FunctionName=one["FunctionName"])
            for one in function.list_functions()["Functions"]
        ],
        plane.client("secretsmanager").list_secrets(),
        plane.client("ssm").describe_parameters(),
        [path.read_text("utf-8") for path in Path(plane.scratch).rglob("*.json")],
    ]
    return str(visible)


def left(plane: CliControlPlane, *stacks: str) -> dict[str, Any]:
    """What the control plane still holds that belonged to the stacks."""

    def named(things: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
        return [thing for thing in things if any(stack in thing[key] for stack in stacks)]

    found = {
        "functions": plane.client("lambda").list_functions()["Functions"],
        "layers": plane.client("lambda").list_layers()["Layers"],
        "log groups": plane.client("logs").describe_log_groups()["logGroups"],
        "alarms": plane.client("cloudwatch").describe_alarms()["MetricAlarms"],
        "dashboards": plane.client("cloudwatch").list_dashboards()["DashboardEntries"],
        "topics": plane.client("sns").list_topics()["Topics"],
        "roles": named(plane.client("iam").list_roles()["Roles"], "RoleName"),
        "buckets": named(plane.client("s3").list_buckets()["Buckets"], "Name"),
    }
    return {kind: things for kind, things in found.items() if things}
