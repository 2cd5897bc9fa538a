"""Shows what is deployed: commit, options, URL, alarms in state ALARM and the last errors.

Also shows which options a deploy with the same arguments would change.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from tools.aws import changes, langfuse_project, logs, stacks
from tools.aws.account import code, explained
from tools.aws.arguments import parser, target
from tools.aws.stacks import Client, DeployedStack
from tools.command import OUT, PLAIN, Failure, run

EXAMPLE = "hatch run status --json"
ERRORS_SHOWN = 5
_DAY_S = 86_400


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the status; 1 if an alarm is in state ALARM."""
    made = parser("status", __doc__ or "", EXAMPLE)
    made.add_argument("--json", action="store_true", help="print JSON")
    options = made.parse_args(arguments)
    with target(options) as found:
        deployed = stacks.get(found.plan, found.account)
        status = read(found.account.client, deployed)
        recorded = deployed.record.get("options", {})
        new = expected(recorded, found.plan.options)
        changed = changes.compare(recorded, new) if deployed.record else []
    status["changes"] = {change.name: {"deployed": change.deployed, "new": change.new} for change in changed}
    if options.json:
        OUT.print_json(data=status)
    else:
        OUT.print(text(status), **PLAIN)
        if changed:
            OUT.print("\n`hatch run deploy` with these arguments would change:")
            OUT.print(changes.table(changed))
    return 1 if status["alarms"] else 0


def expected(deployed: Mapping[str, Any], plan: Mapping[str, Any]) -> dict[str, Any]:
    """The options that `hatch run deploy` would use: those of the plan, and those that it finds itself."""
    project = plan.get("langfuse_project") or langfuse_project.kept(deployed, plan)
    return {**plan, "default_secret": deployed.get("default_secret"), "langfuse_project": project}


def read(client: Client, stack: DeployedStack, clock: Callable[[], float] = time.time) -> dict[str, Any]:
    """What is known of a deployed stack; `missing` lists what could not be read, and why."""
    missing: list[str] = []

    def optional(name: str, get: Callable[[], list[Any]]) -> list[Any]:
        try:
            with explained():
                return get()
        except (ClientError, Failure) as error:
            missing.append(f"{name}: {code(error) if isinstance(error, ClientError) else error}")
            return []

    return {
        "stack": stack.name,
        "status": stack.status,
        "updated": stack.updated,
        "agent": stack.record.get("agent", ""),
        "commit": stack.record.get("commit", ""),
        "options": stack.record.get("options", {}),
        "url": stack.outputs.get("FunctionUrl", ""),
        "dashboard": stack.outputs.get("DashboardUrl", ""),
        "alarms": optional("alarms", lambda: alarms(client, stack.name)),
        "errors": optional("errors", lambda: errors(client, stack, clock() - _DAY_S)),
        "missing": missing,
    }


def alarms(client: Client, stack: str) -> list[str]:
    """The descriptions of the stack's alarms that are in state ALARM."""
    resources = client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
    names = [
        one["PhysicalResourceId"] for one in resources if one["ResourceType"] == "AWS::CloudWatch::Alarm"
    ]
    if not names:
        return []
    found = client("cloudwatch").describe_alarms(AlarmNames=names, StateValue="ALARM")["MetricAlarms"]
    return [f"{alarm['AlarmName']}: {alarm.get('AlarmDescription', '')}" for alarm in found]


def errors(client: Client, stack: DeployedStack, since: float) -> list[str]:
    """The last error lines of the function's log."""
    group = stack.outputs.get("LogGroupName")
    if not group:
        return []
    found = logs.read(client("logs"), group, since, pattern='{ $.level = "ERROR" }')
    return [logs.text(message).partition("\n")[0] for message in found][-ERRORS_SHOWN:]


def text(status: Mapping[str, Any]) -> str:
    """The status for people."""
    options = [
        f"{name}={changes.text(value)}" for name, value in status["options"].items() if value not in ("", [])
    ]
    lines = [
        f"Stack      {status['stack']} ({status['status']}, {status['updated']})",
        f"Agent      {status['agent'] or 'unknown: deployed by an older release'}",
        f"Commit     {status['commit'] or 'unknown'}",
        f"URL        {status['url']}",
        f"Dashboard  {status['dashboard']}",
        "Options    " + (" ".join(options) or "unknown: deployed by an older release"),
        "Alarms     " + ("\n           ".join(status["alarms"]) or "none in state ALARM"),
        "Errors     " + ("\n           ".join(status["errors"]) or "none in the last 24 hours"),
    ]
    return "\n".join([*lines, *(f"Not read   {reason}" for reason in status["missing"])])


if __name__ == "__main__":
    run(main)
