"""Deployed stacks: found, told apart, and rejected in a state in which they cannot be changed."""

import json

import pytest

from tools.aws import stacks
from tools.command import Failure


class FakeAccount:
    def __init__(self, aws) -> None:
        self.client = aws


def test_a_stack_is_read_with_its_outputs_and_its_record(fake_aws, stack_of) -> None:
    template = {"Metadata": {"TracedAgent": {"agent": "handler", "options": {"auth": "iam"}}}}
    for body in (template, json.dumps(template)):
        aws = fake_aws(describe_stacks={"Stacks": [stack_of()]}, get_template={"TemplateBody": body})
        stack = stacks.find(aws, "my-agent")

        assert stack.outputs["FunctionName"] == "f"
        assert stack.record["options"] == {"auth": "iam"}


@pytest.mark.parametrize("body", ["Resources: {}", {"Resources": {}}])
def test_a_stack_of_an_older_release_has_no_record(fake_aws, stack_of, body) -> None:
    aws = fake_aws(describe_stacks={"Stacks": [stack_of()]}, get_template={"TemplateBody": body})

    assert stacks.find(aws, "my-agent").record == {}


@pytest.mark.parametrize("status", ["REVIEW_IN_PROGRESS", "DELETE_COMPLETE"])
def test_a_stack_without_resources_is_not_deployed(fake_aws, stack_of, status: str) -> None:
    assert stacks.find(fake_aws(describe_stacks={"Stacks": [stack_of(status=status)]}), "my-agent") is None


def test_nothing_deployed_is_reported_with_the_command(fake_aws, make_plan) -> None:
    with pytest.raises(Failure, match="my-agent is not deployed in us-east-1: run `hatch run deploy`"):
        stacks.get(make_plan(), FakeAccount(fake_aws(describe_stacks="ValidationError")))


def test_other_stacks_of_the_project_are_named_to_choose_from(fake_aws, make_plan, stack_of) -> None:
    def describe(**arguments):
        if "StackName" in arguments:
            return "ValidationError"
        foreign = stack_of("CDKToolkit")
        foreign["Outputs"] = foreign["Outputs"][:1]
        return {"Stacks": [stack_of("support-prod"), foreign, stack_of("support-test")]}

    with pytest.raises(
        Failure, match="support-prod and support-test are: choose one with -c stack_name=NAME"
    ):
        stacks.get(make_plan(), FakeAccount(fake_aws(describe_stacks=describe)))


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        ("UPDATE_IN_PROGRESS", "is being changed .*: wait until it is done"),
        ("UPDATE_ROLLBACK_IN_PROGRESS", "wait until it is done"),
        ("ROLLBACK_COMPLETE", "run `hatch run destroy -c stack_name=my-agent`, then deploy again"),
        ("ROLLBACK_FAILED", "run `hatch run destroy"),
        ("UPDATE_ROLLBACK_FAILED", "run `hatch run cdk rollback my-agent`"),
        ("DELETE_FAILED", "run `hatch run destroy -c stack_name=my-agent` again"),
    ],
)
def test_a_stack_that_cannot_be_changed_now_is_rejected_with_a_remedy(status: str, remedy: str) -> None:
    with pytest.raises(Failure, match=remedy) as rejected:
        stacks.check_state(stacks.DeployedStack("my-agent", status), ["-c", "stack_name=my-agent"])

    assert "\n" not in str(rejected.value)


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"])
def test_a_stable_stack_can_be_changed(status: str) -> None:
    stacks.check_state(stacks.DeployedStack("my-agent", status))
