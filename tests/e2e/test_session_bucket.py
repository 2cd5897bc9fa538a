"""The bucket of conversations after a deploy that turned sessions off, on the emulator's S3."""

import boto3
import pytest

from tests.example_agent.control_plane import ExampleControlPlane
from tools.aws import conversations
from tools.aws.stacks import DeployedStack
from tools.local.control_plane.server import CREDENTIALS


class EmulatedAccount:
    """The emulator's account, as the commands use an account."""

    def __init__(self, plane):
        self.client = plane.client
        self._plane = plane

    def session(self):
        return self

    def resource(self, service):
        keys = CREDENTIALS["AWS_ACCESS_KEY_ID"], CREDENTIALS["AWS_SECRET_ACCESS_KEY"]
        return boto3.Session(*keys, region_name=self._plane.region).resource(
            service, endpoint_url=self._plane.url
        )


@pytest.fixture(scope="module")
def account():
    with ExampleControlPlane() as plane:
        yield EmulatedAccount(plane)


@pytest.mark.parametrize(
    ("name", "options", "still_on"),
    [("sessions-off", {}, False), ("retained", {"retain": True}, False), ("sessions-on", {}, True)],
)
def test_the_bucket_is_deleted_with_its_conversations_unless_it_is_retained(
    account, capsys, name, options, still_on
):
    s3 = account.client("s3")
    s3.create_bucket(Bucket=name)
    for number in range(3):
        s3.put_object(Bucket=name, Key=f"session_{number}/conversation.json", Body=b"{}")
    outputs = {conversations.OUTPUT: name}
    before = DeployedStack("agent", "UPDATE_COMPLETE", outputs=outputs, record={"options": options})

    conversations.delete_orphan(account, before, outputs if still_on else {})

    left = still_on or bool(options)
    found = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    assert (name in found) == left
    if left:
        assert s3.list_objects_v2(Bucket=name)["KeyCount"] == 3
    assert ("are kept" in capsys.readouterr().err) == bool(options)
