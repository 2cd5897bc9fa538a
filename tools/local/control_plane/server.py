"""The AWS API on loopback: MiniStack, bootstrapped and deployed to by the real CDK CLI.

MiniStack stores what it receives and returns it; it runs no function (see `ministack_launcher`).
"""

import contextlib
import functools
import json
import os
import subprocess
import tempfile
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
import botocore.session
from botocore.config import Config

from tools import cache
from tools.aws import assembly, cdk
from tools.command import Failure
from tools.environments import python_of
from tools.local.http import server_process
from tools.local.http.server import LOOPBACK, free_port

ACCOUNT = "000000000000"
"""MiniStack takes a 12-digit access key for the account."""

CREDENTIALS = {"AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "local"}

_KEPT = ("HOME", "LANG", "LC_ALL", "PATH", "TEMP", "TERM", "TMP", "TMPDIR", "USER", "XDG_CACHE_HOME")
_LAUNCHER = Path(__file__).with_name("ministack_launcher.py")


class ControlPlane:
    """The server: `with ControlPlane() as plane: plane.bootstrap()`, then synthesize and deploy."""

    def __init__(self, region: str = "us-east-1") -> None:
        self.region = region
        self._scratch = tempfile.TemporaryDirectory(prefix="control-plane-", ignore_cleanup_errors=True)
        self._port = free_port()
        self.url = f"http://{LOOPBACK}:{self._port}"
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.callback(self._scratch.cleanup)
            stack.enter_context(self._server())
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, value, trace)

    def _server(self) -> contextlib.AbstractContextManager[None]:
        return server_process.running(
            "the local control plane",
            [str(python_of("ministack")), "-I", str(_LAUNCHER)],
            f"{self.url}/_ministack/health",
            cwd=Path(self._scratch.name),
            env={
                **{name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
                "BIND_HOST": LOOPBACK,
                "MINISTACK_HOST": LOOPBACK,
                "GATEWAY_PORT": str(self._port),
                "MINISTACK_REGION": self.region,
                "TMPDIR": self._scratch.name,
            },
        )

    def client(self, service: str) -> Any:
        """A boto3 client of this control plane."""
        return _session().client(
            service,
            region_name=self.region,
            endpoint_url=self.url,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"total_max_attempts": 2}, proxies={}),
        )

    def bootstrap(self, synthesized: Path) -> None:
        """Make the account ready for what was synthesized."""
        self._cdk("bootstrap", f"aws://{ACCOUNT}/{self.region}", "--app", str(synthesized))

    def synthesize(self, context: Mapping[str, str]) -> Path:
        """Run the CDK app, which writes its templates and assets, with `-c key=value` for each pair.

        Raises:
            Failure: the app reported an error; the message is its one line.
        """
        out = Path(tempfile.mkdtemp(dir=self._scratch.name, prefix="cdk.out-"))
        pairs = [word for key, value in context.items() for word in ("-c", f"{key}={value}")]
        self._cdk("synth", "--quiet", "--output", str(out), *pairs)
        return out

    def deploy(self, synthesized: Path, stack: str | None = None) -> dict[str, str]:
        """Deploy a stack that was synthesized, by default that of the default agent; returns its outputs."""
        name = stack or assembly.read(synthesized).select().name
        outputs = synthesized / "outputs.json"
        words = ["--app", str(synthesized), "--method", "direct", "--require-approval", "never"]
        self._cdk("deploy", name, *words, "--outputs-file", str(outputs))
        found: dict[str, str] = json.loads(outputs.read_text())[name]
        return found

    def destroy(self, synthesized: Path) -> None:
        """Remove the stack."""
        self._cdk("destroy", "--all", "--force", "--app", str(synthesized))

    def environment(self) -> dict[str, str]:
        """The variables of the CDK CLI and the app, without the user's AWS, Langfuse and proxy settings."""
        variables = {
            **{name: os.environ[name] for name in _KEPT if name in os.environ},
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": self.region,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "CDK_HOME": str(cache.CACHE / "cdk"),
            "CDK_VALIDATION": "false",  # it takes half of the time to synthesize; `deploy` validates
            "NO_COLOR": "1",
            "NO_PROXY": "*",
        }
        return cdk.environment(variables)

    def _cdk(self, *words: str) -> None:
        cache.make_folder(cache.CACHE / "cdk")
        command = cdk.command(*words, "--no-notices", "--ci", "--progress", "events")
        ran = subprocess.run(
            command,
            check=False,
            capture_output=True,
            cwd=cdk.ROOT,
            env=self.environment(),
            encoding="utf-8",
            errors="replace",
            stdin=subprocess.DEVNULL,
        )
        if ran.returncode:
            raise Failure(cdk.error_line(words[0], ran.stdout + ran.stderr))


@functools.cache
def _session() -> boto3.Session:
    """A session that reads neither the user's profile nor configuration files."""
    blank = {
        "profile": (None, None, None, None),
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
    }
    return boto3.Session(botocore_session=botocore.session.Session(blank))


def fetch(url: str) -> bytes:
    """Get a file from the control plane; no proxy is used."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=60) as response:
        return bytes(response.read())
