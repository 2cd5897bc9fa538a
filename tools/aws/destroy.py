"""Deletes the stack, its logs and its conversations.

The conversations are deleted last, when everything else is deleted, so a failed deletion loses none. With
retain=true logs and conversations are kept. The Langfuse secret is kept, because the stack did not create it.
Needs no built layers. Further arguments are passed to `cdk destroy`.
"""

import subprocess
from collections.abc import Callable, Sequence

from tools import user_environment
from tools.aws import cdk, conversations, stacks
from tools.aws.arguments import Target, parser, target
from tools.aws.stacks import DeployedStack
from tools.command import ERR, PLAIN, Failure, run

EXAMPLE = "hatch run destroy -c stack_name=support-prod"

Destroy = Callable[[], "subprocess.CompletedProcess[str]"]
"""Runs `cdk destroy`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask, unless --force is given, and delete the stack."""
    made = parser("destroy", __doc__ or "", EXAMPLE)
    made.add_argument("-f", "--force", "--yes", action="store_true", help="do not ask")
    options, others = made.parse_known_args(arguments)
    environ = user_environment.read()
    with target(options, environ) as found:
        deployed = stacks.get(found.plan, found.account)
        check(deployed)
        if not options.force:
            confirm(deployed, found.plan.region, input)
        words = [found.plan.name, "--force", "--no-notices", "--app", str(found.folder), *others]
        if options.profile:
            words += ["--profile", options.profile]
        command = cdk.command("destroy", *words)

        def cdk_destroy() -> "subprocess.CompletedProcess[str]":
            return subprocess.run(
                command,
                check=False,
                cwd=cdk.ROOT,
                env=cdk.environment(environ),
                capture_output=True,
                encoding="utf-8",
                errors="replace",
            )

        with ERR.status(f"Deleting {deployed.name} …"):
            destroy(found, deployed, cdk_destroy)
    ERR.print(f"Deleted {deployed.name} in {found.plan.region}.", **PLAIN)
    return 0


def check(stack: DeployedStack) -> None:
    """Reject a stack that is protected or being changed.

    Raises:
        Failure: with the command to run.
    """
    if stack.status.endswith("_IN_PROGRESS"):
        raise Failure(f"the stack {stack.name} is being changed ({stack.status}): wait until it is done")
    if stack.protected:
        raise Failure(
            f"the stack {stack.name} has termination protection (retain=true): turn it off with `aws "
            f"cloudformation update-termination-protection --no-enable-termination-protection --stack-name "
            f"{stack.name}`, then run this again; its logs and conversations are kept"
        )


def confirm(stack: DeployedStack, region: str, prompt: Callable[[str], str]) -> None:
    """Continue only after a yes.

    Raises:
        Failure: the answer was no, or there is no terminal to ask on.
    """
    kept = bool(stack.record.get("options", {}).get("retain"))
    what = stack.name if kept else f"{stack.name}, its logs and its conversations,"
    try:
        answer = prompt(f"Delete {what} in {region} (y/n)? ")
    except EOFError:
        raise Failure("not an interactive terminal: pass --force") from None
    if answer.strip().lower() not in ("y", "yes"):
        raise Failure("nothing was deleted")


def destroy(found: Target, deployed: DeployedStack, cdk_destroy: Destroy) -> None:
    """Delete the stack, then its conversations.

    CloudFormation deletes the bucket last, and fails if the bucket is not empty. Only then are the
    conversations deleted, and the deletion is repeated.

    Raises:
        Failure: the stack was not deleted; its conversations were not touched.
    """
    bucket = deployed.outputs.get(conversations.OUTPUT)
    retained = bool(deployed.record.get("options", {}).get("retain"))
    ran = cdk_destroy()
    if ran.returncode and bucket and not retained and _only_bucket_is_left(found, bucket):
        conversations.empty(found.account, bucket)
        ran = cdk_destroy()
    if ran.returncode:
        lines = [line.strip() for line in (ran.stdout + ran.stderr).splitlines() if line.strip()]
        reasons = [line for line in lines if "rror" in line or "failed" in line]
        reason = [*reasons[-1:], *lines[-1:], "cdk destroy failed without a message"][0]
        raise Failure(f"{deployed.name} was not deleted: {reason}")


def _only_bucket_is_left(found: Target, bucket: str) -> bool:
    resources = found.account.client("cloudformation").describe_stack_resources(StackName=found.plan.name)
    left = {
        resource.get("PhysicalResourceId")
        for resource in resources["StackResources"]
        if resource["ResourceStatus"] != "DELETE_COMPLETE"
        and resource["ResourceType"] != "AWS::S3::BucketPolicy"
    }
    return left == {bucket}


if __name__ == "__main__":
    run(main)
