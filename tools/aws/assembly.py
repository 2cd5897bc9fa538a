"""The synthesized assembly: the only source of a stack's name, region, bootstrap version and options."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.aws import cdk
from tools.command import Failure

_METADATA = "TracedAgent"
_SOURCES = "agent-sources.json"


@dataclass(frozen=True, kw_only=True)
class StackPlan:
    """A stack as it was synthesized."""

    name: str
    agent: str
    source: str
    """The agent's source folder, relative to the checkout."""
    region: str
    bootstrap_parameter: str
    """The SSM parameter that `cdk bootstrap` writes; its name contains the bootstrap qualifier."""
    commit: str
    default_secret: str
    options: Mapping[str, Any]

    @property
    def traced(self) -> bool:
        """Whether the function sends traces."""
        return bool(self.secret or self.options.get("otlp_endpoint"))

    @property
    def secret(self) -> str:
        """Name or ARN of the secret with the Langfuse keys; empty if the function reads none."""
        if self.options.get("otlp_endpoint"):
            return ""
        default = self.default_secret if self.options.get("default_secret") else ""
        return str(self.options.get("langfuse_secret") or default)


@dataclass(frozen=True)
class Assembly:
    """A synthesized CDK app: its folder and its stacks, the default agent's first."""

    folder: Path
    stacks: Sequence[StackPlan]

    def select(self, agent: str | None = None) -> StackPlan:
        """The stack of an agent; without a name that of the default agent.

        Raises:
            Failure: there is no such agent.
        """
        for stack in self.stacks:
            if agent in (None, stack.agent):
                return stack
        agents = ", ".join(stack.agent for stack in self.stacks)
        raise Failure(f"there is no agent {agent}: use one of {agents}, as in infra/app.py")


def synthesize(folder: Path, arguments: Sequence[str], environ: Mapping[str, str]) -> Assembly:
    """Synthesize the app into a folder.

    Args:
        folder: where the assembly is written.
        arguments: arguments of the CDK CLI: context and profile.
        environ: the environment of the CLI and of the app.

    Raises:
        Failure: the app or the CLI reported an error; the message is its one line.
    """
    command = cdk.command("synth", "--quiet", "--no-notices", "--output", str(folder), *arguments)
    _run(command, cdk.environment(environ))
    return read(folder)


def describe(folder: Path, arguments: Sequence[str], environ: Mapping[str, str]) -> Assembly:
    """Write the assembly of the app without its resources into a folder; the CDK and its CLI are not started.

    Args:
        folder: where the assembly is written.
        arguments: the context, each `key=value` pair after a `-c`.
        environ: the environment of the app.

    Raises:
        Failure: the app reported an error; the message is its one line.
    """
    _run([sys.executable, "-m", "infra.app", "--describe", str(folder), *arguments], environ)
    return read(folder)


def _run(command: Sequence[str], environ: Mapping[str, str]) -> None:
    ran = subprocess.run(
        command,
        check=False,
        capture_output=True,
        cwd=cdk.ROOT,
        env=environ,
        encoding="utf-8",
        errors="replace",
        stdin=subprocess.DEVNULL,
    )
    if ran.returncode:
        raise Failure(cdk.error_line("synth", ran.stdout + ran.stderr))


def read(folder: Path) -> Assembly:
    """Read the stacks of an assembly."""
    artifacts = json.loads((folder / "manifest.json").read_bytes())["artifacts"]
    found = [
        (name, artifact)
        for name, artifact in artifacts.items()
        if artifact["type"] == "aws:cloudformation:stack"
    ]
    stacks = [_plan(folder, name, artifact) for name, artifact in found]
    return Assembly(folder, [stack for stack in stacks if stack])


def _plan(folder: Path, name: str, artifact: Mapping[str, Any]) -> StackPlan | None:
    properties = artifact["properties"]
    template = json.loads((folder / properties["templateFile"]).read_bytes())
    record = template.get("Metadata", {}).get(_METADATA)
    if record is None:  # a stack of the owner, next to those of the agents
        return None
    return StackPlan(
        name=properties.get("stackName", name),
        agent=record["agent"],
        source=_sources(folder)[record["agent"]],
        region=artifact["environment"].rpartition("/")[2],
        bootstrap_parameter=properties.get("bootstrapStackVersionSsmParameter", ""),
        commit=record["commit"],
        default_secret=record["default_secret"],
        options=record["options"],
    )


def _sources(folder: Path) -> dict[str, str]:
    """The agents' source folders, relative to the checkout, which are not part of a template."""
    sources: dict[str, str] = json.loads((folder / _SOURCES).read_bytes())
    return sources


def recorded(template: Mapping[str, Any]) -> dict[str, Any]:
    """What a deployed template records about its deployment; empty if it was made by an older release."""
    record: dict[str, Any] = template.get("Metadata", {}).get(_METADATA, {})
    return record
