"""The options that the commands share, and the stack and the account that they lead to."""

import argparse
import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools import user_environment
from tools.aws import assembly
from tools.aws.account import Account
from tools.aws.assembly import StackPlan
from tools.command import described


def parser(command: str, description: str, example: str, *, agent: bool = True) -> argparse.ArgumentParser:
    """A parser with the shared options, for `hatch run COMMAND`.

    Args:
        command: the command's name.
        description: what it does.
        example: a command line.
        agent: whether the command is for one agent.
    """
    made = argparse.ArgumentParser(**described(command, description, example))
    made.add_argument(
        "-c", "--context", action="append", default=[], metavar="KEY=VALUE",
        help="an option of docs/configuration.md, as in `-c stack_name=support-prod`",
    )  # fmt: skip
    made.add_argument("--profile", help="the AWS profile (default: AWS_PROFILE, or the default profile)")
    made.add_argument("--region", help="short for -c region=REGION")
    if agent:
        made.add_argument("--agent", metavar="NAME", help="the agent, if infra/app.py lists several")
    return made


def cli_arguments(options: argparse.Namespace) -> list[str]:
    """The shared options as arguments of the CDK CLI."""
    return [*context_arguments(options), *(["--profile", options.profile] if options.profile else [])]


def context_arguments(options: argparse.Namespace) -> list[str]:
    """The context among the shared options, each pair after a `-c`."""
    pairs = [*options.context, *([f"region={options.region}"] if options.region else [])]
    return [word for pair in pairs for word in ("-c", pair)]


@dataclass(frozen=True)
class Target:
    """The stack that a command is for, and the account that it is in."""

    plan: StackPlan
    account: Account
    folder: Path
    """The assembly, without resources."""


@contextlib.contextmanager
def target(options: argparse.Namespace, environ: Mapping[str, str] | None = None) -> Iterator[Target]:
    """Synthesize the app without its resources, and select the stack.

    Raises:
        Failure: the profile does not exist, or the app rejects the options.
    """
    environ = user_environment.read() if environ is None else environ
    account = Account(options.profile)
    region = account.default_region()
    with tempfile.TemporaryDirectory(prefix="assembly-") as folder:
        words = context_arguments(options)
        made = assembly.describe(Path(folder), words, {**environ, "CDK_DEFAULT_REGION": region})
        plan = made.select(getattr(options, "agent", None))
        yield Target(plan, account.in_region(plan.region), Path(folder))
