"""The options that `demo` and `serve` share, and the local cloud that they describe."""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

from layers import ARCHITECTURE
from tools import user_environment
from tools.build_layers.__main__ import main as build_layers
from tools.command import ERR, Failure, described
from tools.local.cloud import host_check
from tools.local.cloud.local_cloud import LocalCloud

QUESTION = "What is 12 * (3 + 4)?"
"""The question that the commands ask or suggest."""

Command = Callable[[argparse.Namespace], int]


class Progress:
    """Prints each step with the seconds since the command started."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def __call__(self, step: str) -> None:
        """Print what begins now."""
        ERR.print(f"{time.monotonic() - self._start:5.1f} s  {step}", style="dim", highlight=False)


def add_command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    command: Command,
    *,
    script: str,
    example: str,
) -> argparse.ArgumentParser:
    """Add a subcommand with the shared options.

    Args:
        commands: the parser's subcommands.
        name: the subcommand's name.
        command: the function that runs it; its docstring is the description.
        script: the name of its script in pyproject.toml.
        example: a command line.
    """
    description = command.__doc__ or ""
    parser = commands.add_parser(name, help=description, **described(script, description, example))
    parser.set_defaults(command=command)
    parser.add_argument(
        "-c", "--context", action="append", default=[], type=_pair, metavar="KEY=VALUE",
        help="an option of docs/configuration.md, as in `-c streaming=true`",
    )  # fmt: skip
    parser.add_argument("--agent", metavar="NAME", help="the agent, if infra/app.py lists several")
    parser.add_argument(
        "--port", type=int, default=0, help="the port of the Function URL (default: a free one)"
    )
    parser.add_argument(
        "--secret", action="append", default=[], type=_secret, metavar="NAME=FILE",
        help="a secret for your agent, as `--secret model-api-key=key.json`: its value is the file's text",
    )  # fmt: skip
    parser.add_argument("--bedrock", action="store_true", help="use the real Bedrock, with your credentials")
    return parser


def _build(words: list[str]) -> int:
    """Build the layers, on a machine that can run them."""
    host_check.check()
    host_check.check_loopback()
    return build_layers(words)


def local_cloud(
    arguments: argparse.Namespace,
    progress: Progress,
    build: Callable[[list[str]], object] = _build,
) -> LocalCloud:
    """The local cloud that the arguments describe, its layers built; it starts in a `with` statement.

    Raises:
        Failure: the function would be for another processor architecture than the local cloud runs.
    """
    if dict(arguments.context).get("architecture", ARCHITECTURE) != ARCHITECTURE:
        raise Failure(f"the local cloud runs {ARCHITECTURE} only: leave out -c architecture")
    if build(["build", "--quiet"]):
        raise Failure("the layers could not be built: see above")
    return LocalCloud(
        dict(arguments.context),
        agent=arguments.agent,
        port=arguments.port,
        environ=user_environment.read(os.environ),
        real_bedrock=arguments.bedrock,
        secrets=dict(arguments.secret),
        progress=progress,
    )


def fake_model_note(cloud: LocalCloud, command: str) -> str:
    """A line that says that answers are not a real model's, and the command that uses one; else empty."""
    if not cloud.uses_fake_model:
        return ""
    return f"The answers are from a fake model. To use Amazon Bedrock with your AWS credentials: {command}"


def agent_option(arguments: argparse.Namespace) -> str:
    """The choice of the agent, for a command to copy; empty for the default agent."""
    return f" --agent {arguments.agent}" if arguments.agent else ""


def _pair(text: str, form: str = "key=value") -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise argparse.ArgumentTypeError(f"{text!r} is not {form}")
    return key, value


def _secret(text: str) -> tuple[str, str]:
    name, file = _pair(text, "NAME=FILE")
    try:
        return name, Path(file).read_text("utf-8")
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{file!r} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise argparse.ArgumentTypeError(f"{file!r} is not UTF-8 text") from None
