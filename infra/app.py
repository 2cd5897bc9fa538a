"""The CDK app: reads the context and the environment once, and passes values to one stack for each agent."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra import describe
from infra.bedrock_access import ModelError
from infra.context import ContextError, LayerError, read
from infra.options import Options
from infra.record import StackRecord, write_sources
from infra.regions import RegionError
from layers import Layer, for_architecture
from layers.function_asset import AssetError
from layers.interpreter import InterpreterError
from traced_agent.settings import Settings

if TYPE_CHECKING:  # the CDK takes seconds to import, and `--describe` does without it
    from aws_cdk import App

    from infra.agent_function import AgentFunction
    from infra.agent_stack import AgentStack

ROOT = Path(__file__).parents[1]

AGENTS: Mapping[str, Path] = {
    "handler": ROOT / "packages" / "handler" / "src",
}
"""The agents, each with its source folder. The first is the default agent: its stack is named `stack_name`,
that of any other agent `<stack_name>-<agent>`."""

PUBLIC = (
    "Anyone who has the URL can call the function, and each call uses your tokens: deploy with -c auth=iam, "
    "or limit the runs at the same time with -c reserved_concurrency=N"
)
UNTRACED = (
    "LANGFUSE_SECRET_KEY is set, but no secret is named, so the function will run untraced: run "
    "`hatch run deploy`, or `hatch run put-secret` and then deploy with -c langfuse_secret=NAME"
)
ONE_BACKEND = "langfuse_secret is ignored: otlp_endpoint is set, and traces go to one backend only"
NEW_URL = "Switching snapstart on or off replaces the Function URL: callers need the new address"

ERRORS = (ContextError, ModelError, RegionError, LayerError, AssetError, InterpreterError)
"""The user's errors: each is one line with a remedy."""

AddResources = Callable[["AgentFunction"], None]
"""Adds the owner's resources to an agent."""


def build(
    app: "App",
    environ: Mapping[str, str],
    *,
    layers: Sequence[Layer] | None = None,
    agents: Mapping[str, Path] = AGENTS,
    add_resources: AddResources | None = None,
    foreign: Sequence[str] = (),
) -> "list[AgentStack]":
    """Add one stack for each agent to the app, as its context and the environment say.

    Args:
        app: the CDK app, with its context.
        environ: the environment variables.
        layers: the layers of each function; by default those of the catalogue for the architecture.
        agents: source folders by the agents' names; the first agent is the default agent.
        add_resources: adds the owner's resources to an agent.
        foreign: context keys of the user's own, which are ignored.

    Raises:
        ContextError: the context cannot be used.
        ModelError: the model is not available in the region.
        RegionError: the stack cannot be deployed in the region.
        LayerError: a layer is not built.
        AssetError, InterpreterError: the function's code cannot be assembled.
    """
    from aws_cdk import Annotations, Environment  # noqa: PLC0415

    from infra.agent_stack import AgentStack  # noqa: PLC0415

    options = read(Options, app.node.get_all_context() or {}, environ, foreign=foreign)
    stacks = []
    recorded = list(records(options, agents))
    write_sources(Path(app.outdir), recorded)
    for record in recorded:
        stack = AgentStack(
            app,
            record.name,
            env=Environment(region=options.region),
            record=record,
            options=options,
            layers=layers or for_architecture(options.architecture),
            agent_source=agents[record.agent],
        )
        if add_resources:
            add_resources(stack.agent)
        for name, warning in _warnings(options, environ):
            Annotations.of(stack).add_warning_v2(f"strands-langfuse-lambda:{name}", warning)
        stacks.append(stack)
    return stacks


def records(options: Options, agents: Mapping[str, Path] = AGENTS) -> Iterator[StackRecord]:
    """One record for each agent."""
    for number, (agent, folder) in enumerate(agents.items()):
        name = f"{options.stack_name}-{agent}" if number else options.stack_name
        source = Path(os.path.relpath(folder, ROOT)).as_posix()
        yield StackRecord(name=name, agent=agent, source=source, options=options, commit=commit())


def _warnings(options: Options, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if options.auth == "none":
        yield "public", PUBLIC
    traced = options.langfuse_secret or options.default_secret or options.otlp_endpoint
    if Settings.given("langfuse_secret_key", environ) and not traced:
        yield "untraced", UNTRACED
    if options.langfuse_secret and options.otlp_endpoint:
        yield "one-backend", ONE_BACKEND
    if options.snapstart:
        yield "snapstart-url", NEW_URL


def commit(root: Path = ROOT) -> str:
    """The commit of the checkout, with `+changes` if files differ from it; empty outside a git checkout."""
    try:
        git = ["git", "-C", str(root)]
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run(
            [*git, "status", "--porcelain", "--untracked-files=no"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return head.stdout.strip() + ("+changes" if changed.stdout.strip() else "")


def user_context(file: Path) -> list[str]:
    """The context keys of the user's `~/.cdk.json`, which belong to all of their CDK apps."""
    try:
        content: Any = json.loads(file.read_text("utf-8"))
        return list(content.get("context") or {})
    except (OSError, ValueError, AttributeError):
        return []


def main(arguments: Sequence[str] = ()) -> int:
    """Synthesize the app, with `--describe` only its description; an error of the user's is one line."""
    parser = argparse.ArgumentParser(description="Synthesizes the stacks for the CDK CLI.")
    parser.add_argument("--describe", type=Path, metavar="FOLDER", help="write a description; needs no CLI")
    parser.add_argument("-c", "--context", action="append", default=[], metavar="KEY=VALUE")
    given = parser.parse_args(arguments)
    foreign = user_context(Path.home() / ".cdk.json")
    try:
        if given.describe:
            context = describe.context(given.context, ROOT, Path.home())
            options = read(Options, context, os.environ, foreign=foreign)
            describe.write(given.describe, list(records(options)), context)
        else:
            _synthesize(foreign)
    except ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _synthesize(foreign: Sequence[str]) -> None:
    os.environ.pop("NODE_COMPILE_CACHE", None)  # with it the CLI starts sooner, but the CDK's library later
    from aws_cdk import App  # noqa: PLC0415

    from infra import resources  # noqa: PLC0415

    app = App(stack_traces=False)  # they end in the CDK's own JavaScript
    build(app, os.environ, add_resources=resources.add, foreign=foreign)
    app.synth()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
