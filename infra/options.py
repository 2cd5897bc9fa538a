"""The options of a deployment: every context key, with its default and its validation.

To add an option, add a field here. With `setting(...)` it reaches the function as an environment variable
without further code; with `key(...)` it is read by `infra.agent_stack`. docs/configuration.md lists them all.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from infra import bedrock_access, context, parsers, regions
from infra.context import ContextError, key, parser, setting
from infra.parsers import choice, encrypted, number, switch
from layers import ARCHITECTURE, MACHINES
from traced_agent.settings import NO_BEDROCK_MODEL, Settings

_NO_PAGE = {
    "iam": "a browser does not sign its requests",
    "jwt": "the page has no tokens, and applications that have them have their own front end",
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of a deployment: `-c key=value` or an environment variable."""

    auth: str = key(
        "Who can call the URL: `none` is everyone, `iam` is principals of the account, who sign the request, "
        "`jwt` is users with a token of `jwt_issuer`",
        parse=choice("none", "iam", "jwt"),
        default="none",
    )
    region: str = key(
        "The region of the stack and of Bedrock",
        parse=parser("bedrock_region"),
        default="us-east-1",
        variables=("AWS_REGION", "AWS_DEFAULT_REGION", "CDK_DEFAULT_REGION"),
    )
    stack_name: str = key(
        "The name of the stack; another name gives a second, independent stack",
        parse=parsers.stack_name,
        default="strands-langfuse-lambda",
    )
    jwt_issuer: str = setting("jwt_issuer", "The OpenID Connect issuer whose tokens are accepted (auth=jwt)")
    jwt_audience: str = setting(
        "jwt_audience", "The audiences or client ids that tokens must be for, separated by commas (auth=jwt)"
    )
    model_id: str = setting(
        "bedrock_model_id",
        "The model: its id, the id of an inference profile, or an ARN; `none` if the agent uses another "
        "provider's model, so that the role has no Bedrock permissions",
    )
    fallback_model_id: str = setting(
        "fallback_model_id", "The model that a run switches to if the model is throttled or unavailable"
    )
    guardrail: str = setting(
        "guardrail", "The Bedrock guardrail that checks input and output, as `ID:VERSION`"
    )
    knowledge_base_id: str = setting(
        "knowledge_base_id", "The id of a Bedrock knowledge base; the agent gets a tool that searches it"
    )
    max_tokens: int = setting("max_tokens", "The largest number of tokens that one run can generate")

    langfuse_host: str = setting(
        "langfuse_host", "The address of Langfuse", parse=encrypted(parser("langfuse_host"))
    )
    langfuse_secret: str = setting(
        "langfuse_secret_arn", "Name or ARN of the secret that contains the Langfuse keys"
    )
    default_secret: bool = key(
        "Use the secret `<stack_name>/langfuse` if `langfuse_secret` is not set; "
        "`hatch run deploy` and `hatch run cdk` set this when that secret exists",
        parse=switch,
        default=False,
    )
    langfuse_project: str = setting(
        "langfuse_project_id",
        "The id of the Langfuse project, for the addresses of traces; `hatch run deploy` asks Langfuse for "
        "it, and without it the function learns it at its first export",
    )
    prompt: str = setting(
        "prompt", "The system prompt in Langfuse, as `NAME` or `NAME@LABEL`, instead of the one in `agent.py`"
    )
    langfuse_environment: str = setting("langfuse_environment", "The Langfuse environment of the traces")
    langfuse_release: str = setting("langfuse_release", "The Langfuse release of the traces")
    otlp_endpoint: str = setting(
        "otlp_endpoint",
        "An OTLP endpoint that receives the traces instead of Langfuse",
        parse=encrypted(parser("otlp_endpoint")),
    )
    otlp_headers_secret: str = setting(
        "otlp_headers_secret_arn", "Name or ARN of the secret that contains the headers for this endpoint"
    )
    resource_attributes: str = setting(
        "resource_attributes", "Attributes of every span's resource, as `name=value,name=value`"
    )
    trace_export: str = setting("trace_export", "Export traces `after` or `before` the response is sent")
    trace_content: str = setting("trace_content", "The content of traces: `full` texts, or `metadata` only")
    trace_spool: str = setting("trace_spool", "Where traces are written that cannot be sent: `log` or `off`")
    trace_sample_rate: float = setting("trace_sample_rate", "The share of runs that is traced, 0 to 1")

    cors_origins: tuple[str, ...] = key(
        "Web origins that can call the URL from a browser, separated by commas",
        parse=parsers.items(parsers.origin),
        default=(),
    )
    reserved_concurrency: int | None = key(
        "The largest number of runs at the same time, which limits cost",
        parse=number(1, 10_000),
        default=None,
    )
    architecture: str = key(
        "The function's processor architecture: `x86_64`, or `arm64` after "
        "`hatch run build-layers --architecture arm64`",
        parse=choice(*MACHINES),
        default=ARCHITECTURE,
    )
    memory_mb: int = key("Memory of the function, in MB", parse=number(256, 10_240), default=1024)
    timeout_s: int = key("Timeout of the function, in seconds", parse=number(10, 900), default=300)
    log_retention_days: int = key(
        "Days for which logs are kept", parse=parsers.one_of(*parsers.LOG_RETENTION_DAYS), default=30
    )
    alarm_email: str = key("The email address that receives alarms", parse=parsers.email, default="")
    retain: bool = key(
        "Protect the stack from deletion, and keep its logs and conversations when it is deleted",
        parse=switch,
        default=False,
    )
    kms_key: str = key(
        "ARN of a KMS key that encrypts the logs, conversations, alarm messages and environment variables",
        parse=parsers.kms_key,
        default="",
    )
    subnet_ids: tuple[str, ...] = key(
        "Subnets of a VPC that the function is connected to, separated by commas",
        parse=parsers.items(parsers.subnet),
        default=(),
    )
    security_group_ids: tuple[str, ...] = key(
        "Security groups of the function in that VPC, separated by commas",
        parse=parsers.items(parsers.security_group),
        default=(),
    )
    runtime_version_arn: str = key(
        "ARN of the Lambda runtime version to stay on; without it AWS updates the runtime",
        parse=parsers.runtime_version,
        default="",
    )

    xray: bool = key("Trace invocations with X-Ray", parse=switch, default=False)
    snapstart: bool = key("Start execution environments from a snapshot", parse=switch, default=False)
    streaming: bool = setting("streaming", "Stream answers as server-sent events")
    page: bool | None = key(
        "Serve a page to try the agent; by default only with auth=none", parse=switch, default=None
    )
    sessions: bool = key("Keep conversations by session id, in a bucket", parse=switch, default=False)

    def __post_init__(self) -> None:
        """Reject options that cannot be combined."""
        regions.check(self.region)
        for model_id in filter(None, (self.model_id, self.fallback_model_id)):
            if model_id != NO_BEDROCK_MODEL:
                bedrock_access.check(model_id, self.region)
        for reason in (*self._model_conflicts(), *self._conflicts()):
            raise ContextError(reason)

    def _model_conflicts(self) -> Iterator[str]:
        for name in ("fallback_model_id", "guardrail"):
            if getattr(self, name) and self.model_id == NO_BEDROCK_MODEL:
                yield f"{name} needs a Bedrock model: set model_id"
        if self.fallback_model_id in (self.model_id, NO_BEDROCK_MODEL):
            yield "fallback_model_id must be the id of another model than model_id"

    def _conflicts(self) -> Iterator[str]:
        if self.page and self.auth != "none":
            yield f"page=true needs auth=none: {_NO_PAGE[self.auth]}"
        if self.auth == "jwt" and not (self.jwt_issuer and self.jwt_audience):
            yield "auth=jwt needs the issuer and the audience of its tokens: set jwt_issuer and jwt_audience"
        if self.auth != "jwt" and (self.jwt_issuer or self.jwt_audience):
            yield "jwt_issuer and jwt_audience need auth=jwt: without it no token is checked"
        if self.otlp_headers_secret and not self.otlp_endpoint:
            yield "otlp_headers_secret needs otlp_endpoint: set it to the address that receives the traces"
        if bool(self.subnet_ids) != bool(self.security_group_ids):
            yield "subnet_ids and security_group_ids belong together: set both"
        for name in ("kms_key", "runtime_version_arn"):
            arn = getattr(self, name)
            if arn and arn.split(":")[3] != self.region:
                yield f"{name} is in {arn.split(':')[3]}, the stack in {self.region}: use one region for both"

    @property
    def default_secret_name(self) -> str:
        """The name of the secret that `hatch run put-secret` writes if no other is named."""
        return f"{self.stack_name}/langfuse"

    def settings(self) -> Settings:
        """The function's settings, except those that name a resource of the stack."""
        values = context.settings(self)
        if self.default_secret and not self.langfuse_secret:
            values["langfuse_secret_arn"] = self.default_secret_name
        if self.otlp_endpoint:  # traces go to one backend only
            values["langfuse_secret_arn"] = ""
        page = self.auth == "none" if self.page is None else self.page
        url_auth = "iam" if self.auth == "iam" else "none"
        return Settings(bedrock_region=self.region, page=page, url_auth=url_auth, **values)

    def as_dict(self) -> dict[str, Any]:
        """The options by their names, as JSON values; those that are not set are left out."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
            if value is not None
        }
