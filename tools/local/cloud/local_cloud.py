"""The whole of it: the stack deployed to an emulated control plane, read back, and served."""

import contextlib
import shutil
import socket
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tools.command import Failure
from tools.local.cloud import backends, host_check
from tools.local.cloud.function_log import FunctionLog
from tools.local.control_plane.deployed_function import Deployed
from tools.local.control_plane.server import CREDENTIALS, ControlPlane
from tools.local.fakes.bedrock_server import FakeBedrock
from tools.local.fakes.knowledge_base_server import FakeKnowledgeBase
from tools.local.fakes.langfuse_server import FakeLangfuse
from tools.local.fakes.openid_provider import CLIENT, OpenIdProvider
from tools.local.function_url.server import FunctionUrlServer
from tools.local.http.server import LOOPBACK
from tools.local.runtime import runtime_client
from tools.local.runtime.environment_pool import EnvironmentPool
from tools.local.runtime.execution_environment import Log
from tools.local.runtime.function import RUNTIME

Progress = Callable[[str], None]
"""Told what begins now."""


class LocalCloud:
    """Everything from bootstrap to Function URL: `with LocalCloud({"auth": "iam"}) as cloud: cloud.url`.

    `url` is the Function URL, `outputs` are the stack's, `bedrock` and `langfuse` the stand-ins.
    """

    url: str
    outputs: Mapping[str, str]
    environments: EnvironmentPool
    plane: ControlPlane
    deployed: Deployed

    def __init__(  # noqa: PLR0913 - all but the context by name
        self,
        context: Mapping[str, str] | None = None,
        *,
        port: int = 0,
        environ: Mapping[str, str] | None = None,
        real_bedrock: bool = False,
        plane: ControlPlane | None = None,
        log: Log | None = None,
        progress: Progress = lambda _: None,
    ) -> None:
        """Say what to deploy, and where to; nothing starts before `with`.

        Args:
            context: the CDK context, as `-c` gives it.
            port: the Function URL's; 0 takes a free one.
            environ: where the user's own backends may be named; stand-ins are used without it.
            real_bedrock: ask the real service, with the user's credentials.
            plane: a bootstrapped control plane to share; the stack is destroyed at the end.
            log: takes the function's log.
            progress: told what begins now.
        """
        self._context = dict(context or {})
        self._port, self._progress, self._shared = port, progress, plane
        self._environ = environ or {}
        self._real_bedrock = real_bedrock
        self.logs = FunctionLog()
        self._log = log or self.logs
        self._stack = contextlib.ExitStack()
        self.bedrock, self.langfuse = FakeBedrock(), FakeLangfuse()
        self.openid: OpenIdProvider | None = None
        """Gives tokens, with auth=jwt and no issuer in the context."""
        self.knowledge_base = FakeKnowledgeBase()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._start(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, value, trace)

    @property
    def endpoints(self) -> dict[str, str]:
        """What a program needs to know, once it runs."""
        return {
            "function_url": self.url,
            "function_name": self.deployed.name,
            "region": self.control_plane.region,
            "control_plane_url": self.control_plane.url,
            "bedrock_url": self._model.environment["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"],
            "langfuse_url": self._given.get("otlp_endpoint") or self._given.get("langfuse_host", ""),
            "access_key_id": CREDENTIALS["AWS_ACCESS_KEY_ID"],
            "secret_access_key": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            **({"token": self.openid.token()} if self.openid else {}),
        }

    @property
    def keeps_traces(self) -> bool:
        """Whether traces come to `langfuse`, and not to a backend of the user's."""
        return not self._given.get("otlp_endpoint") and self._given.get("langfuse_host") == self.langfuse.url

    def client(self, service: str) -> Any:
        """A boto3 client of the control plane."""
        return self.control_plane.client(service)

    def update(self, code_zip: bytes) -> str | None:
        """Deploy other code through the control plane; if it does not start, why, and the last code stays."""
        last = self.deployed.code_zip()
        self.deployed.update(code_zip)
        error = self.pool.start_candidate(self.deployed.read(self._variables))
        if error:
            self.deployed.update(last)
        return f"{error['errorType']}: {error['errorMessage']}" if error else None

    def _start(self, stack: contextlib.ExitStack) -> None:
        host_check.check()
        _check_port(self._port)
        self._progress("preparing the runtime")
        runtime_client.directory(RUNTIME)
        region = self._context.get("region", "us-east-1")
        for server in (self.bedrock, self.langfuse, self.knowledge_base):
            stack.enter_context(server)
        self._model = backends.model(self._environ, self.bedrock, real=self._real_bedrock, region=region)
        self._traces = backends.traces(self._environ, self.langfuse)
        self._given = {**self._traces.context, **self._context}
        if self._context.get("auth") == "jwt" and "jwt_issuer" not in self._context:
            self.openid = stack.enter_context(OpenIdProvider())
            self._given |= {"jwt_issuer": self.openid.issuer, "jwt_audience": CLIENT}
        self.control_plane = self._shared or stack.enter_context(self._new_plane(region))
        self._variables = {
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": self.control_plane.url,
            "AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME": self.knowledge_base.url,
            **self._model.environment,
        }
        self._deploy(stack)
        function = self.deployed.read(self._variables)
        self.pool = stack.enter_context(EnvironmentPool(function, log=self._log))
        self.url = stack.enter_context(FunctionUrlServer(self.pool, port=self._port)).url

    def _new_plane(self, region: str) -> ControlPlane:
        self._progress("starting the control plane")
        return ControlPlane(region)

    def _deploy(self, stack: contextlib.ExitStack) -> None:
        for name, value in self._traces.secrets.items():
            _put_secret(self.control_plane.client("secretsmanager"), name, value)
        self._progress("synthesizing the stack")
        synthesized = self.control_plane.synthesize(self._given)
        if not self._shared:
            self._progress("bootstrapping the account")
            self.control_plane.bootstrap(synthesized)
        self._progress("deploying the stack")
        self.outputs = self.control_plane.deploy(synthesized)
        if self._shared:
            stack.callback(self.control_plane.destroy, synthesized)
        self._progress("reading the function back")
        directory = Path(tempfile.mkdtemp(prefix="deployed-"))
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        self.deployed = Deployed(self.control_plane, self.outputs["FunctionName"], directory)


def _put_secret(client: Any, name: str, value: str) -> None:
    try:
        client.create_secret(Name=name, SecretString=value)
    except client.exceptions.ResourceExistsException:
        client.put_secret_value(SecretId=name, SecretString=value)


def _check_port(port: int) -> None:
    """Fail before the deployment, not after it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", "they end at 65535")
            raise Failure(f"port {port} cannot be used ({reason}): choose another with --port") from None
