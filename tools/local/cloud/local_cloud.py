"""The local cloud as a whole: the stack deployed to an emulated control plane, read back, and served."""

import contextlib
import dataclasses
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from layers import function_asset
from tools.aws import assembly
from tools.aws.assembly import StackPlan
from tools.local.cloud import backends, host_check
from tools.local.cloud.function_log import FunctionLog
from tools.local.control_plane.deployed_function import Deployed
from tools.local.control_plane.server import CREDENTIALS, ControlPlane
from tools.local.fakes.bedrock_server import FakeBedrock
from tools.local.fakes.knowledge_base_server import FakeKnowledgeBase
from tools.local.fakes.langfuse_server import FakeLangfuse
from tools.local.fakes.openid_provider import CLIENT, OpenIdProvider
from tools.local.function_url.server import FunctionUrlServer
from tools.local.runtime import runtime_client
from tools.local.runtime.environment_pool import EnvironmentPool
from tools.local.runtime.execution_environment import Log
from tools.local.runtime.function import RUNTIME
from traced_agent.settings import NO_BEDROCK_MODEL, Settings

Progress = Callable[[str], None]
"""Called with each step that begins."""

FAKE_MODEL_HEADER = "x-local-fake-model"
"""Marks responses, so that the page and other clients can say that the answer is not a real model's."""


class LocalCloud:
    """Everything from bootstrap to Function URL: `with LocalCloud({"auth": "iam"}) as cloud: cloud.url`.

    `url` is the Function URL, `outputs` are the stack's, `bedrock` and `langfuse` are the fakes.
    """

    url: str
    outputs: Mapping[str, str]
    url_server: FunctionUrlServer
    pool: EnvironmentPool
    control_plane: ControlPlane
    plan: StackPlan
    """The stack that is deployed, and its agent."""
    deployed: Deployed
    bedrock: FakeBedrock
    langfuse: FakeLangfuse

    def __init__(  # noqa: PLR0913 - all but the context by name
        self,
        context: Mapping[str, str] | None = None,
        *,
        agent: str | None = None,
        port: int = 0,
        environ: Mapping[str, str] | None = None,
        real_bedrock: bool = False,
        secrets: Mapping[str, str] | None = None,
        control_plane: ControlPlane | None = None,
        log: Log | None = None,
        progress: Progress = lambda _: None,
    ) -> None:
        """Nothing starts before `with`.

        Args:
            context: the CDK context, as `-c` gives it.
            agent: the agent's name in `infra/app.py`; without one, the default agent.
            port: the Function URL's; 0 takes a free one.
            environ: variables that name the user's own backends; without them the fakes are used.
            real_bedrock: ask the real service, with the user's credentials.
            secrets: values by name, for Secrets Manager.
            control_plane: a bootstrapped control plane to share; the stack is destroyed at the end.
            log: takes the function's log.
            progress: called with each step that begins.
        """
        self._context, self._agent = dict(context or {}), agent
        self._port, self._progress, self._shared = port, progress, control_plane
        self._environ = environ or {}
        self._real_bedrock = real_bedrock
        self._secrets = secrets or {}
        self.logs = FunctionLog()
        self._log = log or self.logs
        self._stack = contextlib.ExitStack()
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
        """The addresses and credentials that a program needs, once the local cloud runs."""
        return {
            "function_url": self.url,
            "function_name": self.deployed.name,
            "region": self.control_plane.region,
            "control_plane_url": self.control_plane.url,
            "bedrock_url": self._model.environment["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"],
            **self._traces_endpoint,
            "access_key_id": CREDENTIALS["AWS_ACCESS_KEY_ID"],
            "secret_access_key": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            **({"token": self.openid.token()} if self.openid else {}),
        }

    @property
    def _traces_endpoint(self) -> dict[str, str]:
        if endpoint := self._given.get("otlp_endpoint"):
            return {"otlp_traces_endpoint": endpoint}
        return {"langfuse_url": self._given.get("langfuse_host", "")}

    @property
    def uses_fake_model(self) -> bool:
        """Whether answers come from `bedrock`, and not from a real model."""
        if Settings.given("bedrock_model_id", self.pool.function.environment) == NO_BEDROCK_MODEL:
            return False
        return self._model.environment["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] == self.bedrock.url

    @property
    def page_url(self) -> str | None:
        """The address of the page to try the agent; None if the stack has none."""
        environment = self.pool.function.environment
        return self.url if environment.get(Settings.variables("page")[0]) == "true" else None

    @property
    def keeps_traces(self) -> bool:
        """Whether traces are sent to `langfuse`, and not to a backend of the user's."""
        return not self._given.get("otlp_endpoint") and self._given.get("langfuse_host") == self.langfuse.url

    def client(self, service: str) -> Any:
        """A boto3 client of the control plane."""
        return self.control_plane.client(service)

    def update(self, asset: Path) -> str | None:
        """Deploy other code through the control plane; returns why it does not start, if so.

        Code that does not start is replaced by the previous version.

        Args:
            asset: an assembled asset; it must not change until the local cloud ends, as it is what runs.
        """
        function = dataclasses.replace(self.pool.function, code=asset)
        replaced = []

        def deploy() -> None:
            replaced.append(self.deployed.code_zip())
            self.deployed.update(function_asset.pack(asset))

        if error := self.pool.start_candidate(function, deploy):
            self.deployed.update(replaced[0])
        return f"{error['errorType']}: {error['errorMessage']}" if error else None

    def _start(self, stack: contextlib.ExitStack) -> None:
        host_check.check()
        host_check.check_loopback()
        host_check.check_port(self._port)
        self._progress("preparing the runtime")
        runtime_client.directory(RUNTIME)
        self.bedrock, self.langfuse = FakeBedrock(), FakeLangfuse()
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
        self.url_server = stack.enter_context(FunctionUrlServer(self.pool, port=self._port))
        self.url = self.url_server.url
        if self.uses_fake_model:
            self.url_server.added_headers = {FAKE_MODEL_HEADER: "true"}

    def _new_plane(self, region: str) -> ControlPlane:
        self._progress("starting the control plane")
        return ControlPlane(region)

    def _deploy(self, stack: contextlib.ExitStack) -> None:
        for name, value in {**self._secrets, **self._traces.secrets}.items():
            _put_secret(self.control_plane.client("secretsmanager"), name, value)
        self._progress("synthesizing the stack")
        self.began_ns = time.time_ns()
        """When the deployment began: it has every change of the source until then."""
        synthesized = self.control_plane.synthesize(self._given)
        self.plan = assembly.read(synthesized).select(self._agent)
        if not self._shared:
            self._progress("bootstrapping the account")
            self.control_plane.bootstrap(synthesized)
        self._progress("deploying the stack")
        self.outputs = self.control_plane.deploy(synthesized, self.plan.name)
        if self._shared:
            stack.callback(self.control_plane.destroy, synthesized)
        self._progress("reading the function back")
        directory = Path(tempfile.mkdtemp(prefix="deployed-"))
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        self.deployed = Deployed(self.control_plane, self.outputs["FunctionName"], self.plan.name, directory)


def _put_secret(client: Any, name: str, value: str) -> None:
    try:
        client.create_secret(Name=name, SecretString=value)
    except client.exceptions.ResourceExistsException:
        client.put_secret_value(SecretId=name, SecretString=value)
