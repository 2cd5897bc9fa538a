"""An assembly without resources, for commands that deploy nothing: names, regions, roles and options.

It is written without the CDK, whose import takes seconds. The names of roles and parameters are those of the
CDK's default synthesizer; a test compares them with it.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from infra.record import StackRecord, write_sources

_SCHEMA = "48.0.0"
"""A version of the cloud assembly's schema that every CLI of this major version reads."""

_QUALIFIER = "@aws-cdk/core:bootstrapQualifier"
_DEFAULT_QUALIFIER = "hnb659fds"


def context(environ: Mapping[str, str]) -> dict[str, Any]:
    """The context that the CLI passes to an app, which is in a file if it is long."""
    found: dict[str, Any] = json.loads(environ.get("CDK_CONTEXT_JSON") or "{}")
    if file := environ.get("CONTEXT_OVERFLOW_LOCATION_ENV"):
        found |= json.loads(Path(file).read_text("utf-8"))
    return found


def write(folder: Path, records: Sequence[StackRecord], context: Mapping[str, Any]) -> None:
    """Write the assembly into the folder that the CLI names."""
    qualifier = str(context.get(_QUALIFIER) or _DEFAULT_QUALIFIER)
    for record in records:
        (folder / _template(record)).write_text(json.dumps({"Metadata": record.metadata(), "Resources": {}}))
    write_sources(folder, records)
    artifacts = {record.name: artifact(record, qualifier) for record in records}
    manifest = {"version": _SCHEMA, "artifacts": artifacts}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def artifact(record: StackRecord, qualifier: str) -> dict[str, Any]:
    """A stack's entry in the manifest."""
    region = record.options.region

    def role(purpose: str) -> str:
        return (
            f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/"
            f"cdk-{qualifier}-{purpose}-role-${{AWS::AccountId}}-{region}"
        )

    return {
        "type": "aws:cloudformation:stack",
        "environment": f"aws://unknown-account/{region}",
        "properties": {
            "templateFile": _template(record),
            "stackName": record.name,
            "assumeRoleArn": role("deploy"),
            "cloudFormationExecutionRoleArn": role("cfn-exec"),
            "requiresBootstrapStackVersion": 6,
            "bootstrapStackVersionSsmParameter": f"/cdk-bootstrap/{qualifier}/version",
        },
        "displayName": record.name,
    }


def _template(record: StackRecord) -> str:
    return f"{record.name}.template.json"
