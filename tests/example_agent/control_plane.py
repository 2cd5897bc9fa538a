"""A control plane that deploys the example agent."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from aws_cdk import App

from infra.app import AddResources, build
from tests.example_agent.source import EXAMPLE_AGENT
from tools.aws import cdk
from tools.local.control_plane.server import ControlPlane


class ExampleControlPlane(ControlPlane):
    """Synthesizes in this process, where the CDK is already imported, and with an agent of the tests' own."""

    def __init__(self, region: str = "us-east-1", *, agent_source: Path = EXAMPLE_AGENT) -> None:
        super().__init__(region)
        self.agent_source = agent_source
        self.add_resources: AddResources | None = None

    @property
    def scratch(self) -> str:
        """The folder of its files."""
        return self._scratch.name

    def synthesize(self, context: Mapping[str, str]) -> Path:
        """Write the templates and assets of the stack with the example agent."""
        out = Path(tempfile.mkdtemp(dir=self._scratch.name))
        flags = json.loads((cdk.ROOT / "cdk.json").read_text("utf-8"))["context"]
        app = App(context={**flags, **context}, outdir=str(out))
        build(app, {}, agents={"handler": self.agent_source}, add_resources=self.add_resources)
        app.synth()
        return out
