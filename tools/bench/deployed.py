"""The functions that the bench runs: on the built layers, with the fakes, on a read-only tree."""

import contextlib
import functools
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import layers
from layers import function_asset
from tools.build_layers.layer_tree import unpack
from tools.local.fakes.bedrock_server import FakeBedrock
from tools.local.fakes.langfuse_server import FakeLangfuse
from tools.local.runtime.environment_pool import EnvironmentPool
from tools.local.runtime.function import Function
from tools.local.runtime.invocation import Invocation
from traced_agent.settings import ALLOCATOR

PEERS = Path(__file__).parent / "peers"
QUERY = "What is 2+2?"
_NEVER_SENDING = """\
from wrapped_handler import handler

from traced_agent.tracing.export_queue import ExportQueue

ExportQueue.export = lambda self, budget_s: self._finished.clear()
"""


@functools.cache
def ours() -> Path:
    """The asset of the shipped function."""
    return function_asset.assembled()


def opt() -> Path:
    """Both built layers, as Lambda mounts them."""
    return unpack([layer.zip for layer in layers.LAYERS])


def function(
    code: Path, bedrock: FakeBedrock, langfuse: FakeLangfuse, *, tree: Path | None = None, **environ: str
) -> Function:
    """A function with the stack's memory size and allocator that can reach only the fakes."""
    return Function(
        code=code,
        opt=tree or opt(),
        environment={
            **ALLOCATOR,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": bedrock.url,
            "BEDROCK_REGION": "us-east-1",
            "BEDROCK_MODEL_ID": "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "LANGFUSE_PUBLIC_KEY": langfuse.public_key,
            "LANGFUSE_SECRET_KEY": langfuse.secret_key,
            "LANGFUSE_HOST": langfuse.url,
            "LANGFUSE_BASE_URL": langfuse.url,
            **environ,
        },
        timeout_s=60,
    )


def copy(
    code: Path,
    target: Path,
    files: Mapping[str, str] = MappingProxyType({}),
    /,
    **edits: tuple[str, str],
) -> Path:
    """Copy a function's code, and compile it again if it is ours.

    Args:
        code: the folder of the code.
        target: the new folder.
        files: by name, the text of files to add or to replace. Python never reads a module's text if there is
            bytecode, so they cannot be written after the copy.
        edits: by module, the text to replace and the new text.

    Raises:
        RuntimeError: a text to replace does not occur exactly once.
    """
    shutil.copytree(code, target, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in files.items():
        (target / name).write_text(text, "utf-8")
    for module, (old, new) in edits.items():
        (path,) = target.rglob(f"{module}.py")
        text = path.read_text()
        if text.count(old) != 1:
            raise RuntimeError(f"{path.name} has changed: the bench no longer finds {old!r}")
        path.write_text(text.replace(old, new))
    if (target / "traced_agent").exists():
        function_asset.compile_asset(target)
    target.parent.chmod(0o755)  # the sandbox runs as another user
    return target


def never_sending(target: Path) -> Path:
    """Copy ours so that its spans are created and never sent."""
    wrapped = (ours() / "lambda_handler.py").read_text("utf-8")
    return copy(ours(), target, {"wrapped_handler.py": wrapped, "lambda_handler.py": _NEVER_SENDING})


def event(query: str = QUERY, token: str = "") -> bytes:
    """The event of a Function URL for a POST with this query, and with a bearer token if there is one."""
    authorization = {"authorization": f"Bearer {token}"} if token else {}
    return json.dumps(
        {
            "version": "2.0",
            "rawPath": "/",
            "headers": {"content-type": "application/json", **authorization},
            "requestContext": {"http": {"method": "POST", "path": "/"}},
            "body": json.dumps({"query": query}),
            "isBase64Encoded": False,
        }
    ).encode()


def check(invocation: Invocation) -> None:
    """Check that the response is an answer.

    Raises:
        RuntimeError: it is not.
    """
    if invocation.error:
        raise RuntimeError(invocation.error["errorMessage"])
    response = json.loads(invocation.payload)
    if response["statusCode"] != 200 or "response" not in json.loads(response["body"]):
        raise RuntimeError(f"not an answer: {response}")


@contextlib.contextmanager
def running(of: Function) -> Iterator[EnvironmentPool]:
    """The function's environments; their logs are discarded."""
    with EnvironmentPool(of, log=lambda _: None) as environments:
        yield environments
