"""The stack, synthesized once for each context that tests ask for."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.options import Options
from layers import Layer, digests
from tests.example_agent.source import EXAMPLE_AGENT
from tools.aws.cdk import NODE

os.environ.setdefault("JSII_NODE", str(NODE))

VARIANTS: dict[str, dict[str, str]] = {
    "default": {},
    "iam": {"auth": "iam"},
    "snapstart": {"snapstart": "true"},
    "snapstart-iam": {"snapstart": "true", "auth": "iam"},
    "xray": {"xray": "true"},
    "alarm-email": {"alarm_email": "on-call@example.com"},
    "cors": {"cors_origins": "https://app.example.com,http://localhost:3000"},
    "langfuse": {"langfuse_secret": "traces/langfuse"},
    "otlp": {"otlp_endpoint": "https://otlp.example.com/v1/traces", "otlp_headers_secret": "traces/otlp"},
    "streaming": {"streaming": "true"},
    "sessions": {"sessions": "true"},
    "profile": {"model_id": "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3"},
    "global": {"model_id": "global.anthropic.claude-sonnet-4-6"},
    "retain": {"retain": "true", "sessions": "true"},
    "kms": {
        "kms_key": "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f",
        "sessions": "true",
        "alarm_email": "on-call@example.com",
    },
    "vpc": {"subnet_ids": "subnet-0a1b2c3d,subnet-0a1b2c3e", "security_group_ids": "sg-0a1b2c3d"},
    "pinned": {"runtime_version_arn": f"arn:aws:lambda:us-east-1::runtime:{'0a1b' * 16}"},
    "cors-iam": {"auth": "iam", "cors_origins": "https://app.example.com"},
    "support-prod": {"stack_name": "support-prod"},
    "capped": {
        "reserved_concurrency": "5",
        "memory_mb": "2048",
        "timeout_s": "60",
        "log_retention_days": "7",
    },
}

FLAGS: dict[str, Any] = json.loads((Path(__file__).parents[3] / "cdk.json").read_text("utf-8"))["context"]
"""What `cdk.json` sets, which the CDK CLI would pass on: the CDK's feature flags."""

Synthesize = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def new_app() -> Callable[..., Any]:
    """Makes an app as the CDK CLI does: with the context of `cdk.json`, and some more."""
    from aws_cdk import App

    return lambda out, **context: App(context={**FLAGS, **context}, outdir=str(out))


@pytest.fixture(scope="session")
def make_layers(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bytes], list[Layer]]:
    """Makes layers that are built and checked, with these bytes as their archives."""

    def make(content: bytes) -> list[Layer]:
        layers = [Layer(name, tmp_path_factory.mktemp(name)) for name in ("strands", "langfuse")]
        for layer in layers:
            layer.lock.touch()
            layer.zip.parent.mkdir()
            layer.zip.write_bytes(layer.name.encode() + content)
            digest = hashlib.sha256(layer.zip.read_bytes()).hexdigest()
            layer.manifest.write_text(json.dumps({"inputs": layer.digest(), "digest": digest}))
        for layer in layers:
            layer.manifest.write_text(json.dumps({**layer.read_manifest(), "checked": digests(layers)}))
        return layers

    return make


@pytest.fixture(scope="session")
def empty_layers(make_layers: Callable[[bytes], list[Layer]]) -> list[Layer]:
    """Layers that are built and checked, with nothing in them."""
    return make_layers(b"")


@pytest.fixture(scope="session")
def assembly(
    tmp_path_factory: pytest.TempPathFactory, empty_layers: list[Layer], new_app: Callable[..., Any]
) -> Callable[..., Path]:
    """Synthesizes a context and an environment into a directory, once a session."""
    from infra.app import build

    made: dict[str, Path] = {}

    def synthesize(context: dict[str, str] | None = None, environ: dict[str, str] | None = None) -> Path:
        key = json.dumps([context, environ], sort_keys=True)
        if key not in made:
            made[key] = tmp_path_factory.mktemp("cdk.out")
            app = new_app(made[key], **(context or {}))
            build(app, environ or {}, layers=empty_layers, agents={"handler": EXAMPLE_AGENT})
            app.synth()
        return made[key]

    return synthesize


@pytest.fixture(scope="session")
def synthesize(assembly: Callable[..., Path]) -> Synthesize:
    """Synthesizes a context and an environment into a template."""

    def template(context: dict[str, str] | None = None, environ: dict[str, str] | None = None) -> Any:
        name = (context or {}).get("stack_name", Options().stack_name)
        return json.loads((assembly(context, environ) / f"{name}.template.json").read_text())

    return template


@pytest.fixture(scope="session")
def variants() -> dict[str, dict[str, str]]:
    """The contexts of the table, by name."""
    return VARIANTS


@pytest.fixture(params=VARIANTS, scope="session")
def variant(request: pytest.FixtureRequest) -> dict[str, str]:
    """Each context of the table, in turn."""
    return VARIANTS[request.param]
