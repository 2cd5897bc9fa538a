"""The CDK app: reads the context and the environment, once, and hands values to the stack."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aws_cdk import Annotations, App, Duration, Environment

from infra import context
from infra.agent_function import LayerError
from infra.agent_stack import AgentStack
from infra.bedrock_access import ModelError, check
from infra.context import ContextError, choice, key, number, one_of, parser, read, setting, switch
from layers import LAYERS, Layer
from layers.function_asset import DEFAULT_AGENT, AssetError
from layers.interpreter import InterpreterError
from traced_agent.settings import Settings

STACK = "strands-langfuse-lambda"
RETENTION_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)  # fmt: skip # noqa: E501

PUBLIC = (
    "Anyone who has the URL may call the function, and each call spends your tokens: deploy with "
    "-c auth=iam, or set a ceiling with -c reserved_concurrency=N"
)
UNTRACED = (
    "LANGFUSE_SECRET_KEY is set, but no secret is named, so the function will run untraced: run "
    "`hatch run deploy`, or `hatch run put-secret` and then deploy with -c langfuse_secret=NAME"
)
ONE_BACKEND = "langfuse_secret is not used: otlp_endpoint is set, and traces go to one place only"


def _list(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())


def _origins(text: str) -> tuple[str, ...]:
    for origin in _list(text):
        if origin != "*" and (not origin.startswith(("http://", "https://")) or origin.count("/") != 2):
            raise ValueError("origins like https://app.example.com, separated by commas, or *")
    return _list(text)


def _email(text: str) -> str:
    if text.count("@") != 1 or text.startswith("@") or "." not in text.rpartition("@")[2] or " " in text:
        raise ValueError("an email address")
    return text


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a deployment can be told, with `-c key=value` or an environment variable."""

    auth: str = key(
        "Who may call the URL: anyone, or who signs as a principal of the account",
        parse=choice("none", "iam"),
        default="none",
    )
    region: str = key(
        "The region of the stack and of Bedrock",
        parse=parser("bedrock_region"),
        default="us-east-1",
        variables=("AWS_REGION", "AWS_DEFAULT_REGION"),
    )
    model_id: str = setting("bedrock_model_id", "The model: its id, an inference profile's id, or an ARN")
    max_tokens: int = setting("max_tokens", "Most tokens that one run may put out")

    langfuse_host: str = setting("langfuse_host", "Where Langfuse is")
    langfuse_secret: str = setting("langfuse_secret_arn", "Name or ARN of the secret with Langfuse's keys")
    langfuse_environment: str = setting("langfuse_environment", "Langfuse's environment of the traces")
    langfuse_release: str = setting("langfuse_release", "Langfuse's release of the traces")
    otlp_endpoint: str = setting("otlp_endpoint", "A plain OTLP endpoint for traces, instead of Langfuse")
    otlp_headers_secret: str = setting(
        "otlp_headers_secret_arn", "Name or ARN of the secret with its headers"
    )
    trace_export: str = setting("trace_export", "Export traces after the answer has left, or before")
    trace_content: str = setting("trace_content", "What traces hold: full texts, or metadata only")
    trace_spool: str = setting("trace_spool", "Where traces go that could not be sent")
    trace_sample_rate: float = setting("trace_sample_rate", "The share of runs that is traced")

    cors_origins: tuple[str, ...] = key(
        "Web origins that may call from a browser, separated by commas", parse=_origins, default=()
    )
    reserved_concurrency: int | None = key(
        "Most runs at once: the ceiling on cost", parse=number(1, 10_000), default=None
    )
    memory_mb: int = key("Memory of the function, in MB", parse=number(256, 10_240), default=1024)
    timeout_s: int = key("Timeout of the function, in seconds", parse=number(10, 900), default=300)
    log_retention_days: int = key("Days that logs are kept", parse=one_of(*RETENTION_DAYS), default=30)
    alarm_email: str = key("Who is told when an alarm goes off", parse=_email, default="")

    xray: bool = key("Trace invocations with X-Ray", parse=switch, default=False)
    snapstart: bool = key("Start from a snapshot", parse=switch, default=False)
    streaming: bool = setting("streaming", "Let answers stream as server-sent events")
    page: bool | None = key(
        "Serve a page to try it on; by default with auth=none only", parse=switch, default=None
    )
    sessions: bool = key("Keep conversations by session id, in a bucket", parse=switch, default=False)

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        check(self.model_id, self.region)
        if self.page and self.auth == "iam":
            raise ContextError("page=true needs auth=none: a browser does not sign its requests")
        if self.otlp_headers_secret and not self.otlp_endpoint:
            raise ContextError("otlp_headers_secret needs otlp_endpoint: say where the traces go")

    def settings(self) -> Settings:
        """The function's settings; those that name a resource of the stack are the stack's to add."""
        given = context.settings(self)
        if self.otlp_endpoint:  # traces go to one place only
            given["langfuse_secret_arn"] = ""
        page = self.auth == "none" if self.page is None else self.page
        return Settings(bedrock_region=self.region, page=page, **given)


def build(
    app: App,
    environ: Mapping[str, str],
    *,
    layers: Sequence[Layer] = LAYERS,
    agent_source: Path = DEFAULT_AGENT,
) -> AgentStack:
    """Put the stack into the app, as its context and the environment say.

    Raises:
        ContextError: the context cannot be used.
        ModelError: the model is not offered in the region.
        LayerError: a layer is not built.
    """
    given = read(Context, app.node.get_all_context() or {}, environ)
    stack = AgentStack(
        app,
        STACK,
        env=Environment(region=given.region),
        settings=given.settings(),
        auth=given.auth,
        cors_origins=given.cors_origins,
        reserved_concurrency=given.reserved_concurrency,
        memory_mb=given.memory_mb,
        timeout=Duration.seconds(given.timeout_s),
        log_retention_days=given.log_retention_days,
        alarm_email=given.alarm_email,
        xray=given.xray,
        snapstart=given.snapstart,
        sessions=given.sessions,
        layers=layers,
        agent_source=agent_source,
    )
    for name, warning in _warnings(given, environ):
        Annotations.of(stack).add_warning_v2(f"{STACK}:{name}", warning)
    return stack


def _warnings(given: Context, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if given.auth == "none":
        yield "public", PUBLIC
    if Settings.given("langfuse_secret_key", environ) and not (given.langfuse_secret or given.otlp_endpoint):
        yield "untraced", UNTRACED
    if given.langfuse_secret and given.otlp_endpoint:
        yield "one-backend", ONE_BACKEND


def main() -> int:
    """Synthesize the app; what the user can mend is one line."""
    app = App(stack_traces=False)  # they end in the CDK's own JavaScript
    try:
        build(app, os.environ)
    except (ContextError, ModelError, LayerError, AssetError, InterpreterError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    app.synth()
    return 0


if __name__ == "__main__":
    sys.exit(main())
