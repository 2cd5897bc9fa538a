"""Control planes that deploy the example agent: over the AWS API, or with the CDK CLI.

The CLI takes about 17 s of CPU to bootstrap, deploy and destroy one stack; the API takes less than one.
Templates and assets are the same.
"""

import json
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aws_cdk import App

from infra.app import AddResources, build
from tests.example_agent.source import EXAMPLE_AGENT
from tools.aws import assembly, cdk
from tools.local.control_plane.server import ACCOUNT, ControlPlane

_BOOTSTRAP = cdk.ROOT / "node_modules" / "aws-cdk" / "lib" / "api" / "bootstrap" / "bootstrap-template.yaml"
_BOOTSTRAP_PARAMETERS = {
    "FileAssetsBucketKmsKeyId": "AWS_MANAGED_KEY",
    "PublicAccessBlockConfiguration": "true",
}
_TIMEOUT_S = 120.0
_UNCHANGED = "No updates are to be performed"


class CliControlPlane(ControlPlane):
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
        # tests/unit/infra validates the templates of all variants.
        app = App(context={**flags, **context}, outdir=str(out), builtin_cloud_formation_validation=False)
        build(app, {}, agents={"handler": self.agent_source}, add_resources=self.add_resources)
        app.synth()
        return out


class ExampleControlPlane(CliControlPlane):
    """Bootstraps, deploys and destroys over the AWS API, for tests of what is deployed."""

    def bootstrap(self, synthesized: Path | None = None) -> None:
        """Create the stack of the CLI's own bootstrap template, which is the same for every app."""
        cdk.install()
        self._apply("CDKToolkit", _BOOTSTRAP.read_text("utf-8"), _BOOTSTRAP_PARAMETERS)

    def deploy(self, synthesized: Path, stack: str | None = None) -> dict[str, str]:
        """Upload the assets, and create or update the stack; returns its outputs."""
        name = stack or assembly.read(synthesized).select().name
        self._upload_assets(synthesized, json.loads((synthesized / f"{name}.assets.json").read_bytes()))
        deployed = self._apply(name, (synthesized / f"{name}.template.json").read_text("utf-8"), {})
        return {output["OutputKey"]: output["OutputValue"] for output in deployed["Outputs"]}

    def destroy(self, synthesized: Path) -> None:
        """Delete the stacks, and wait until they are deleted."""
        for plan in assembly.read(synthesized).stacks:
            stack = self._stack_id(plan.name)
            if stack:
                self.client("cloudformation").delete_stack(StackName=plan.name)
                self._wait(stack, ("DELETE_COMPLETE",))

    def _upload_assets(self, synthesized: Path, manifest: Mapping[str, Any]) -> None:
        s3 = self.client("s3")
        for asset in manifest["files"].values():
            source = synthesized / asset["source"]["path"]
            for place in asset["destinations"].values():
                bucket = place["bucketName"].replace("${AWS::AccountId}", ACCOUNT)
                if s3.list_objects_v2(Bucket=bucket, Prefix=place["objectKey"])["KeyCount"]:
                    continue
                with tempfile.TemporaryDirectory() as scratch:
                    if asset["source"]["packaging"] == "zip":
                        source = Path(shutil.make_archive(f"{scratch}/asset", "zip", source))
                    s3.put_object(Bucket=bucket, Key=place["objectKey"], Body=source.read_bytes())

    def _apply(self, name: str, template: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        """Create or update a stack, and wait for its end; returns its description."""
        client = self.client("cloudformation")
        arguments = {
            "StackName": name,
            "TemplateBody": template,
            "Parameters": [
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
            "Capabilities": ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        }
        stack = self._stack_id(name)
        if not stack:
            return self._wait(client.create_stack(**arguments)["StackId"], ("CREATE_COMPLETE",))
        try:
            client.update_stack(**arguments)
        except client.exceptions.ClientError as error:
            if _UNCHANGED not in str(error):
                raise
        return self._wait(stack, ("CREATE_COMPLETE", "UPDATE_COMPLETE"))

    def _stack_id(self, name: str) -> str:
        """The ARN of the stack that exists under this name; empty without one."""
        client = self.client("cloudformation")
        try:
            (stack,) = client.describe_stacks(StackName=name)["Stacks"]
        except client.exceptions.ClientError:
            return ""
        return "" if stack["StackStatus"] == "DELETE_COMPLETE" else str(stack["StackId"])

    def _wait(self, stack_id: str, complete: tuple[str, ...]) -> dict[str, Any]:
        client = self.client("cloudformation")
        until = time.monotonic() + _TIMEOUT_S
        while time.monotonic() < until:
            (stack,) = client.describe_stacks(StackName=stack_id)["Stacks"]
            if not stack["StackStatus"].endswith("IN_PROGRESS"):
                break
            time.sleep(0.05)
        assert stack["StackStatus"] in complete, stack
        return dict(stack)
