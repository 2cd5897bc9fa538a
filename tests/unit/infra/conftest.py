"""The stack, synthesized once for each context that tests ask for."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from layers import Layer, checked
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
    "capped": {
        "reserved_concurrency": "5",
        "memory_mb": "2048",
        "timeout_s": "60",
        "log_retention_days": "7",
    },
}

Synthesize = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def empty_layers(tmp_path_factory: pytest.TempPathFactory) -> list[Layer]:
    """Layers that are built and checked, with nothing in them."""
    layers = [Layer(name, tmp_path_factory.mktemp(name)) for name in ("strands", "langfuse")]
    for layer in layers:
        content = layer.name.encode()
        layer.lock.touch()
        layer.zip.parent.mkdir()
        layer.zip.write_bytes(content)
        manifest = {"inputs": layer.digest(), "digest": hashlib.sha256(content).hexdigest()}
        layer.manifest.write_text(json.dumps(manifest))
    for layer in layers:
        layer.manifest.write_text(json.dumps({**layer.read_manifest(), "checked": checked(layers)}))
    return layers


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory, empty_layers: list[Layer]) -> Callable[..., Path]:
    """Synthesizes a context and an environment into a directory, once a session."""
    from aws_cdk import App

    from infra.app import build

    made: dict[str, Path] = {}

    def synthesize(context: dict[str, str] | None = None, environ: dict[str, str] | None = None) -> Path:
        key = json.dumps([context, environ], sort_keys=True)
        if key not in made:
            made[key] = tmp_path_factory.mktemp("cdk.out")
            app = App(context=context or {}, outdir=str(made[key]))
            build(app, environ or {}, layers=empty_layers)
            app.synth()
        return made[key]

    return synthesize


@pytest.fixture(scope="session")
def synthesize(assembly: Callable[..., Path]) -> Synthesize:
    """Synthesizes a context and an environment into a template."""
    return lambda *given: json.loads((assembly(*given) / "strands-langfuse-lambda.template.json").read_text())


@pytest.fixture(params=VARIANTS, scope="session")
def variant(request: pytest.FixtureRequest) -> dict[str, str]:
    """Each context of the table, in turn."""
    return VARIANTS[request.param]
