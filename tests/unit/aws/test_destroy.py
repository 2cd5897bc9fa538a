"""Nothing is deleted without a yes, and conversations only after everything else."""

import subprocess

import pytest

from tools.aws import destroy
from tools.aws.arguments import Target
from tools.aws.stacks import DeployedStack
from tools.command import Failure

BUCKET = "my-agent-sessions"


def stack(**options) -> DeployedStack:
    return DeployedStack(
        "my-agent", "CREATE_COMPLETE", outputs={"SessionBucket": BUCKET}, record={"options": options}
    )


@pytest.mark.parametrize("answer", ["", "n", "no", "Yep"])
def test_anything_but_yes_deletes_nothing(answer: str) -> None:
    with pytest.raises(Failure, match="nothing was deleted"):
        destroy.confirm(stack(), "us-east-1", lambda _: answer)


@pytest.mark.parametrize("answer", ["y", "yes", " Y "])
def test_yes_continues(answer: str) -> None:
    destroy.confirm(stack(), "us-east-1", lambda _: answer)


def test_without_a_terminal_nothing_is_deleted() -> None:
    def end(_: str) -> str:
        raise EOFError

    with pytest.raises(Failure, match="not an interactive terminal: pass --force"):
        destroy.confirm(stack(), "us-east-1", end)


@pytest.mark.parametrize(("options", "named"), [({}, True), ({"retain": True}, False)])
def test_the_question_names_what_is_deleted(options, named: bool) -> None:
    asked: list[str] = []
    destroy.confirm(stack(**options), "us-east-1", lambda text: asked.append(text) or "y")

    assert ("its conversations" in asked[0]) is named


def test_a_protected_stack_is_rejected_with_the_command() -> None:
    with pytest.raises(Failure, match="--no-enable-termination-protection --stack-name my-agent"):
        destroy.check(DeployedStack("my-agent", "CREATE_COMPLETE", protected=True))


def test_a_stack_that_is_being_changed_is_rejected() -> None:
    with pytest.raises(Failure, match="wait until it is done"):
        destroy.check(DeployedStack("my-agent", "UPDATE_IN_PROGRESS"))


class Deletion:
    """CloudFormation: the deletion fails as long as the bucket is not empty, or for another resource."""

    def __init__(self, fake_aws, left) -> None:
        self.left = left
        self.emptied: list[str] = []
        self.attempts = 0
        resources = [
            {
                "PhysicalResourceId": BUCKET,
                "ResourceStatus": "DELETE_FAILED",
                "ResourceType": "AWS::S3::Bucket",
            },
            {"PhysicalResourceId": "f", "ResourceStatus": left, "ResourceType": "AWS::Lambda::Function"},
        ]
        self.client = fake_aws(describe_stack_resources={"StackResources": resources})

    def session(self):
        return self

    def resource(self, _):
        return self

    def Bucket(self, name):  # noqa: N802 - boto3's name
        self.name = name
        return self

    @property
    def objects(self):
        return self

    def all(self):
        return self

    def delete(self) -> None:
        self.emptied.append(self.name)

    def run(self) -> "subprocess.CompletedProcess[str]":
        self.attempts += 1
        done = self.left == "DELETE_COMPLETE" and self.emptied
        return subprocess.CompletedProcess([], 0 if done else 1, "", "Error: the stack failed to be deleted")


def test_conversations_are_deleted_when_only_their_bucket_is_left(fake_aws, make_plan, tmp_path) -> None:
    deletion = Deletion(fake_aws, "DELETE_COMPLETE")
    destroy.destroy(Target(make_plan(), deletion, tmp_path), stack(), deletion.run)

    assert deletion.emptied == [BUCKET]
    assert deletion.attempts == 2


def test_a_deletion_that_fails_for_another_reason_loses_no_conversation(
    fake_aws, make_plan, tmp_path
) -> None:
    deletion = Deletion(fake_aws, "DELETE_FAILED")

    with pytest.raises(Failure, match="my-agent was not deleted: Error: the stack failed"):
        destroy.destroy(Target(make_plan(), deletion, tmp_path), stack(), deletion.run)
    assert deletion.emptied == []


def test_conversations_that_are_retained_are_not_deleted(fake_aws, make_plan, tmp_path) -> None:
    deletion = Deletion(fake_aws, "DELETE_COMPLETE")

    with pytest.raises(Failure):
        destroy.destroy(Target(make_plan(), deletion, tmp_path), stack(retain=True), deletion.run)
    assert deletion.emptied == []
