"""Takes the stack down: `hatch run destroy`, with what `cdk destroy` takes.

A bucket goes only when it is empty, so the conversations are deleted first. The secret stays: it was not the
stack's to make.
"""

import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import boto3
from botocore.exceptions import ClientError

from tools.aws import account, cdk
from tools.command import Failure, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask, unless told not to; empty the bucket of sessions, if there is one; then `cdk destroy`."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    region = account.region(account.context(arguments).get("region"))
    if not {"-f", "--force"} & set(arguments):
        confirm(region, input)
        arguments.append("--force")
    empty_sessions(region)
    command = cdk.command("destroy", *arguments)
    return subprocess.run(command, check=False, cwd=cdk.ROOT, env=cdk.environment()).returncode


def confirm(region: str, prompt: Callable[[str], str]) -> None:
    """Go on only after a yes."""
    try:
        answer = prompt(f"Delete {account.STACK} in {region}, its logs and its conversations (y/n)? ")
    except EOFError:
        raise Failure("nobody is there to be asked: say --force") from None
    if answer.strip().lower() not in ("y", "yes"):
        raise Failure("nothing was deleted")


def empty_sessions(region: str) -> None:
    """Delete every conversation of the deployed stack."""
    try:
        bucket = account.outputs(region).get("SessionBucket")
    except Failure:  # nothing is deployed, which is for the CLI to say
        return
    if bucket:
        try:
            with account.explained():
                _bucket(bucket, region).objects.all().delete()
        except ClientError as error:
            raise Failure(f"the conversations in {bucket} were not deleted: {error}") from None
        print(f"Emptied {bucket}")


def _bucket(name: str, region: str) -> Any:
    return boto3.Session(region_name=region).resource("s3").Bucket(name)


if __name__ == "__main__":
    run(main)
