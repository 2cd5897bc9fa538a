"""The AWS API on loopback: MiniStack, bootstrapped and deployed to by the real CDK CLI.

MiniStack stores what it receives and returns it; it runs no function (see `ministack_launcher`).
"""

import contextlib
import functools
import json
import os
import subprocess
import tempfile
import time
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
from tools.local.http.server import LOOPBACK, free_port

ACCOUNT = "000000000000"
"""MiniStack takes a 12-digit access key for the account."""

CREDENTIALS = {"AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "local"}

_KEPT = ("HOME", "LANG", "LC_ALL", "PATH", "TEMP", "TERM", "TMP", "TMPDIR", "USER", "XDG_CACHE_HOME")
_START_S = 20.0
_LAUNCHER = Path(__file__).with_name("ministack_launcher.py")


class ControlPlane:
    """The server: `with ControlPlane() as plane: plane.bootstrap()`, then synthesize and deploy."""

    def __init__(self, region: str = "us-east-1") -> None:
        self.region = region
        self._scratch = tempfile.TemporaryDirectory(prefix="control-plane-", ignore_cleanup_errors=True)
        self._port = free_port()
        self.url = f"http://{LOOPBACK}:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None
        self.stack_name = ""
        """The stack that was deployed last."""

    def __enter__(self) -> Self:
        with Path(self._scratch.name, "log").open("wb") as log:
            self._process = subprocess.Popen(
                [str(python_of("ministack")), "-I", str(_LAUNCHER)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self._scratch.name,
                env={
                    **{name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
                    "BIND_HOST": LOOPBACK,
                    "MINISTACK_HOST": LOOPBACK,
                    "GATEWAY_PORT": str(self._port),
                    "MINISTACK_REGION": self.region,
                    "TMPDIR": self._scratch.name,
                },
            )
        try:
            self._await()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
        self._scratch.cleanup()

    def _await(self) -> None:
        until = time.monotonic() + _START_S
        while time.monotonic() < until and self._process and self._process.poll() is None:
            with contextlib.suppress(OSError):
                fetch(f"{self.url}/_ministack/health", timeout_s=2)
                return
            time.sleep(0.05)
        said = Path(self._scratch.name, "log").read_text("utf-8", "replace").strip().splitlines()
        raise Failure(f"the local control plane did not start: {said[-1] if said else 'it said nothing'}")

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
        """Have the CDK app write its templates and assets, with `-c key=value` for each pair.

        Raises:
            Failure: the app refused, in its own words.
        """
        out = Path(tempfile.mkdtemp(dir=self._scratch.name, prefix="cdk.out-"))
        pairs = [word for key, value in context.items() for word in ("-c", f"{key}={value}")]
        self._cdk("synth", "--quiet", "--output", str(out), *pairs)
        return out

    def deploy(self, synthesized: Path) -> dict[str, str]:
        """Deploy what was synthesized; returns the stack's outputs."""
        outputs = synthesized / "outputs.json"
        words = ["--app", str(synthesized), "--require-approval", "never", "--outputs-file", str(outputs)]
        self._cdk("deploy", "--all", *words)
        self.stack_name = assembly.read(synthesized).select().name
        found: dict[str, str] = json.loads(outputs.read_text())[self.stack_name]
        return found

    def destroy(self, synthesized: Path) -> None:
        """Remove the stack."""
        self._cdk("destroy", "--all", "--force", "--app", str(synthesized))

    def environment(self) -> dict[str, str]:
        """What the CDK CLI and the app may see: nothing of the user's AWS, Langfuse or proxy settings."""
        return {
            **{name: os.environ[name] for name in _KEPT if name in os.environ},
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": self.region,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "CDK_HOME": str(cache.CACHE / "cdk"),
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            "JSII_NODE": str(cdk.NODE),
            "NO_COLOR": "1",
            "NO_PROXY": "*",
        }

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
            raise Failure(_complaint(words[0], ran.stdout + ran.stderr))


def _complaint(command: str, said: str) -> str:
    """The line of the CLI's that tells what is wrong: the app's own error, if it made one."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    failed = [line for line in lines if "rror" in line and "Subprocess exited" not in line]
    return [*errors, *failed[-1:], *lines[-1:], f"cdk {command} failed and said nothing"][0]


@functools.cache
def _session() -> boto3.Session:
    """A session that reads neither the user's profile nor configuration files."""
    blank = {
        "profile": (None, None, None, None),
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
    }
    return boto3.Session(botocore_session=botocore.session.Session(blank))


def fetch(url: str, timeout_s: float = 60) -> bytes:
    """Get something of the control plane's, by no proxy."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=timeout_s) as response:
        return bytes(response.read())
