"""The bucket of conversations, which CloudFormation deletes only when it is empty."""

from collections.abc import Mapping

from botocore.exceptions import ClientError

from tools.aws.account import Account, code, explained
from tools.aws.stacks import DeployedStack
from tools.command import ERR, PLAIN, Failure

OUTPUT = "SessionBucket"


def empty(account: Account, bucket: str) -> None:
    """Delete every conversation.

    Raises:
        Failure: they cannot be deleted.
    """
    try:
        with explained():
            account.session().resource("s3").Bucket(bucket).objects.all().delete()
    except ClientError as error:
        if code(error) != "NoSuchBucket":
            raise Failure(f"the conversations in {bucket} were not deleted ({code(error)})") from None


def delete_orphan(account: Account, before: DeployedStack | None, outputs: Mapping[str, str]) -> None:
    """Delete the bucket after a deploy that turned sessions off: CloudFormation leaves it unless it is empty.

    With `retain=true` the bucket is kept, and its name printed.

    Args:
        account: the account of the stack.
        before: the stack before the deploy.
        outputs: the outputs after it.
    """
    bucket = before.outputs.get(OUTPUT) if before else None
    if before is None or bucket is None or OUTPUT in outputs:
        return
    if before.record.get("options", {}).get("retain"):
        ERR.print(f"The bucket {bucket} and its conversations are kept.", **PLAIN)
        return
    empty(account, bucket)
    try:
        with explained():
            account.client("s3").delete_bucket(Bucket=bucket)
    except ClientError as error:
        if code(error) != "NoSuchBucket":
            raise Failure(f"the bucket {bucket} was not deleted ({code(error)}): delete it") from None
