"""Deployed stacks: their state, outputs and recorded options, and the project's other stacks."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from tools.aws import assembly
from tools.aws.account import Account, code, explained
from tools.aws.assembly import StackPlan
from tools.command import Failure

Client = Callable[[str], Any]
"""Makes a client of the AWS service with this name."""

_OUTPUTS = {"FunctionUrl", "FunctionName", "LogGroupName", "DashboardUrl"}

_REMEDIES = {
    "ROLLBACK_COMPLETE": "its creation failed: run `hatch run destroy{options}`, then deploy again",
    "ROLLBACK_FAILED": "its creation failed: run `hatch run destroy{options}`, then deploy again",
    "CREATE_FAILED": "its creation failed: run `hatch run destroy{options}`, then deploy again",
    "DELETE_FAILED": "its deletion failed: run `hatch run destroy{options}` again",
    "UPDATE_FAILED": "its last update failed: run `hatch run cdk rollback {name}`",
    "UPDATE_ROLLBACK_FAILED": "its last update failed: run `hatch run cdk rollback {name}`",
}


@dataclass(frozen=True)
class DeployedStack:
    """A stack in CloudFormation."""

    name: str
    status: str
    status_reason: str = ""
    protected: bool = False
    """Whether termination protection is on."""
    updated: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)
    """What `infra.record` wrote: agent, commit, options; empty for a stack of an older release."""


def find(client: Client, name: str) -> DeployedStack | None:
    """The deployed stack with this name, without a record; None if there is none."""
    try:
        with explained():
            (stack,) = client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if code(error) == "ValidationError":
            return None
        raise Failure(f"the stack {name} cannot be read ({code(error)}): check the permissions") from None
    if stack["StackStatus"] in ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE"):  # nothing was created, or is left
        return None
    return DeployedStack(
        name=name,
        status=stack["StackStatus"],
        status_reason=stack.get("StackStatusReason", ""),
        protected=bool(stack.get("EnableTerminationProtection")),
        updated=str(stack.get("LastUpdatedTime") or stack["CreationTime"]),
        outputs={output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", ())},
        record=_record(client, name),
    )


def _record(client: Client, name: str) -> dict[str, Any]:
    try:
        with explained():
            body = client("cloudformation").get_template(StackName=name)["TemplateBody"]
    except ClientError:
        return {}
    try:
        template = json.loads(body) if isinstance(body, str) else body
    except ValueError:  # YAML, which the CDK does not write
        return {}
    return assembly.recorded(template)


def get(plan: StackPlan, account: Account) -> DeployedStack:
    """The deployed stack of a plan.

    Raises:
        Failure: it is not deployed; the message lists the project's stacks that are.
    """
    if stack := find(account.client, plan.name):
        return stack
    others = similar(account.client, plan)
    if others:
        raise Failure(
            f"{plan.name} is not deployed in {plan.region}; {' and '.join(others)} "
            f"{'is' if len(others) == 1 else 'are'}: choose one with -c stack_name=NAME"
        )
    raise Failure(
        f"{plan.name} is not deployed in {plan.region}: run `hatch run deploy`, or give --region or --profile"
    )


def similar(client: Client, plan: StackPlan) -> list[str]:
    """The names of the project's other stacks in the region, which have the same outputs."""
    try:
        with explained():
            pages = client("cloudformation").get_paginator("describe_stacks").paginate()
            stacks = [stack for page in pages for stack in page["Stacks"]]
    except ClientError:  # to list stacks is another permission
        return []
    return sorted(
        stack["StackName"]
        for stack in stacks
        if {output["OutputKey"] for output in stack.get("Outputs", ())} >= _OUTPUTS
        and stack["StackName"] != plan.name
        and stack["StackStatus"] not in ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE")
    )


def check_state(stack: DeployedStack | None, arguments: Sequence[str] = ()) -> None:
    """Reject a stack that cannot be changed now.

    Raises:
        Failure: it is being changed, or a change of it failed; with the command to run.
    """
    if stack is None:
        return
    if stack.status.endswith("_IN_PROGRESS"):
        raise Failure(f"the stack {stack.name} is being changed ({stack.status}): wait until it is done")
    if remedy := _REMEDIES.get(stack.status):
        options = "".join(f" {argument}" for argument in arguments)
        action = remedy.format(name=stack.name, options=options)
        raise Failure(f"the stack {stack.name} is in the state {stack.status}, {action}")
