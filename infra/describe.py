"""An assembly without resources, for commands that deploy nothing: names, regions, roles and options.

It is written without the CDK and its CLI, which take seconds to start. Tests compare the context with the
CLI's, and the names of roles and parameters with those of the CDK's default synthesizer.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from infra.context import ContextError
from infra.record import StackRecord, write_sources

_SCHEMA = "48.0.0"
"""A version of the cloud assembly's schema that every CLI of this major version reads."""

_QUALIFIER = "@aws-cdk/core:bootstrapQualifier"
_DEFAULT_QUALIFIER = "hnb659fds"


def context(pairs: Sequence[str], root: Path, home: Path) -> dict[str, Any]:
    """The context as the CDK CLI reads it: `-c` over cdk.json over cdk.context.json over ~/.cdk.json.

    Args:
        pairs: the values of `-c`, each `key=value`.
        root: the folder of the app.
        home: the user's home folder.

    Raises:
        ContextError: a pair has no `=`, or a file is not valid.
    """
    found = {
        **_context_in(home / ".cdk.json"),
        **_json(root / "cdk.context.json"),
        **_context_in(root / "cdk.json"),
    }
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ContextError(f"invalid context {pair}: use -c KEY=VALUE")
        found[key] = value
    return found


def _json(file: Path) -> dict[str, Any]:
    """The object in a JSON file; empty without the file."""
    try:
        content = json.loads(file.read_text("utf-8-sig"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ContextError(f"{file} cannot be read ({error}): correct it") from None
    return _object(content, str(file))


def _context_in(file: Path) -> dict[str, Any]:
    return _object(_json(file).get("context") or {}, f"context in {file}")


def _object(content: Any, name: str) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise ContextError(f"{name} is no JSON object: correct it")
    return content


def write(folder: Path, records: Sequence[StackRecord], context: Mapping[str, Any]) -> None:
    """Write the assembly into a folder."""
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
