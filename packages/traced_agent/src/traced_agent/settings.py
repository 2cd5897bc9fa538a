"""The settings of the function, and the names of their environment variables.

Imports nothing heavy: the stack imports this module at synth, the function at init.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self
from urllib.parse import urlsplit

NO_BEDROCK_MODEL = "none"
"""The model id of a deployment whose agent uses another provider's model."""

ALLOCATOR = {"MALLOC_ARENA_MAX": "1"}
"""Variables that the C library reads before Python starts (mallopt(3)).

With one arena, memory that one thread frees is used again by the others. With more, each request leaves
fragments in the arenas of its threads, and the memory of an environment grows by 0.5 MB per 1,000 requests.
"""


class SettingsError(ValueError):
    """A value is invalid; the message names the variable and the valid values."""


def _text(value: str) -> str:
    return value


def _like(pattern: str, says: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(says)
        return value

    return parse


_environment = _like(
    r"(?!langfuse)[a-z0-9_-]{1,40}",
    "lower-case letters, digits, - and _, 40 at most, not beginning with langfuse",
)
_prompt = _like(r"[^@\s][^@]{0,198}(@[a-z0-9._-]{1,36})?", "NAME or NAME@LABEL of a prompt in Langfuse")
_project_id = _like(r"[A-Za-z0-9_-]{1,100}", "the id of a Langfuse project: letters, digits, - and _")
_region = _like(r"[a-z]+(-[a-z]+)+-\d+", "a region's code, like us-east-1")
_secret = _like(
    r"(arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:)?[a-zA-Z0-9/_+=.@-]+",
    "the name or the ARN of a secret",
)

_guardrail = _like(
    r"[a-z0-9]{1,64}:(DRAFT|[1-9]\d{0,7})",
    "a guardrail's id and version, like gr1a2b3c4d5e:1 or gr1a2b3c4d5e:DRAFT",
)
_knowledge_base = _like(r"[0-9A-Z]{10}", "the id of a knowledge base, ten capital letters and digits")


def _url(value: str) -> str:
    if not is_url(value):
        raise ValueError("an http(s) URL")
    if "@" in urlsplit(value).netloc:
        raise ValueError("an http(s) URL without credentials")
    return value.rstrip("/")


def is_url(value: str) -> bool:
    """Whether it is an http or https address."""
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of a port or an IPv6 address that is none
        return False


def _issuer(value: str) -> str:
    """An OpenID Connect issuer, as it is: its tokens name it with or without a slash at the end."""
    parts = urlsplit(value) if is_url(value) else None
    if not parts or parts.query or parts.fragment or parts.username is not None:
        raise ValueError("the https URL of an OpenID Connect issuer")
    if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
        raise ValueError("an https URL")
    return value


def _audiences(value: str) -> str:
    if not any(name.strip() for name in value.split(",")):
        raise ValueError("the audiences or client ids of tokens, separated by commas")
    return value


def _headers(value: str) -> str:
    if not all(re.fullmatch(r"\s*[^\s=]+\s*=.*", pair) for pair in value.split(",") if pair.strip()):
        raise ValueError("name=value, separated by commas")
    return value


def _switch(value: str) -> bool:
    choices = {"true": True, "1": True, "false": False, "0": False}
    if value.lower() not in choices:
        raise ValueError("true or false")
    return choices[value.lower()]


def _number(fits: Callable[[float], bool], says: str) -> Callable[[str], float]:
    def parse(value: str) -> float:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not fits(number):
            raise ValueError(says)
        return number

    return parse


_rate = _number(lambda number: 0 <= number <= 1, "a number from 0 to 1")
_seconds = _number(lambda number: 0 < number <= 60, "seconds, above 0, 60 at most")


def _count(value: str) -> int:
    if not re.fullmatch(r"0*[1-9]\d{0,8}", value, re.ASCII):
        raise ValueError("a whole number above 0")
    return int(value)


def _choice(*choices: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in choices:
            raise ValueError(" or ".join(choices))
        return value

    return parse


def _setting(*names: str, parse: Callable[[str], Any], default: Any, secret: bool = False) -> Any:
    return field(default=default, repr=not secret, metadata={"names": names, "parse": parse})


def public_model_id(model_id: str) -> str:
    """A model's id as callers may see it: of an ARN only what follows the account number."""
    return model_id.split(":", 5)[-1] if model_id.startswith("arn:") else model_id


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting, parsed. A field's first name is the variable `to_env` writes; all are read."""

    bedrock_region: str = _setting("BEDROCK_REGION", parse=_region, default="us-east-1")
    bedrock_model_id: str = _setting(
        "BEDROCK_MODEL_ID", parse=_text, default="us.anthropic.claude-sonnet-4-6"
    )
    fallback_model_id: str = _setting("FALLBACK_MODEL_ID", parse=_text, default="")
    guardrail: str = _setting("GUARDRAIL", parse=_guardrail, default="")
    knowledge_base_id: str = _setting("KNOWLEDGE_BASE_ID", parse=_knowledge_base, default="")
    max_tokens: int = _setting("MAX_TOKENS", parse=_count, default=4096)
    max_turns: int = _setting("MAX_TURNS", parse=_count, default=10)
    log_level: str = _setting(
        "LOG_LEVEL", parse=_choice("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"), default="INFO"
    )

    url_auth: str = _setting("URL_AUTH", parse=_choice("none", "iam"), default="none")
    jwt_issuer: str = _setting("JWT_ISSUER", parse=_issuer, default="")
    jwt_audience: str = _setting("JWT_AUDIENCE", parse=_audiences, default="")

    langfuse_public_key: str = _setting("LANGFUSE_PUBLIC_KEY", parse=_text, default="")
    langfuse_secret_key: str = _setting("LANGFUSE_SECRET_KEY", parse=_text, default="", secret=True)
    langfuse_secret_arn: str = _setting("LANGFUSE_SECRET_ARN", parse=_secret, default="")
    langfuse_host: str = _setting(
        "LANGFUSE_HOST", "LANGFUSE_BASE_URL", parse=_url, default="https://cloud.langfuse.com"
    )
    langfuse_project_id: str = _setting("LANGFUSE_PROJECT_ID", parse=_project_id, default="")
    prompt: str = _setting("LANGFUSE_PROMPT", parse=_prompt, default="")
    langfuse_environment: str = _setting("LANGFUSE_TRACING_ENVIRONMENT", parse=_environment, default="")
    langfuse_release: str = _setting("LANGFUSE_RELEASE", parse=_text, default="")
    tracing_enabled: bool = _setting("LANGFUSE_TRACING_ENABLED", parse=_switch, default=True)
    trace_sample_rate: float = _setting("LANGFUSE_SAMPLE_RATE", parse=_rate, default=1.0)

    otlp_endpoint: str = _setting("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", parse=_url, default="")
    otlp_headers: str = _setting("OTEL_EXPORTER_OTLP_TRACES_HEADERS", parse=_headers, default="", secret=True)
    otlp_headers_secret_arn: str = _setting("OTEL_HEADERS_SECRET_ARN", parse=_secret, default="")

    resource_attributes: str = _setting("OTEL_RESOURCE_ATTRIBUTES", parse=_text, default="")
    trace_export: str = _setting("TRACE_EXPORT", parse=_choice("after", "before"), default="after")
    trace_export_timeout_s: float = _setting("TRACE_EXPORT_TIMEOUT_S", parse=_seconds, default=3.0)
    trace_content: str = _setting("TRACE_CONTENT", parse=_choice("full", "metadata"), default="full")
    trace_spool: str = _setting("TRACE_SPOOL", parse=_choice("off", "log"), default="off")

    streaming: bool = _setting("STREAMING", parse=_switch, default=False)
    page: bool = _setting("PAGE", parse=_switch, default=False)
    session_bucket: str = _setting("SESSION_BUCKET", parse=_text, default="")

    @property
    def auth(self) -> str:
        """Who can call the Function URL: `none` is everyone; `iam` and `jwt` need a signature or a token."""
        return "jwt" if self.jwt_issuer else self.url_auth

    @property
    def uses_bedrock(self) -> bool:
        """Whether the function may invoke a Bedrock model: not with the model id `none`."""
        return self.bedrock_model_id != NO_BEDROCK_MODEL

    @property
    def public_model_id(self) -> str:
        """The model's id as callers may see it, without an account number."""
        return public_model_id(self.bedrock_model_id)

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings from an environment; a variable that is not set, or empty, takes its default.

        Raises:
            SettingsError: in one line that names the variable.
        """
        values: dict[str, Any] = {}
        for setting in fields(cls):
            for name in setting.metadata["names"]:
                if raw := environ.get(name, "").strip():
                    try:
                        values[setting.name] = setting.metadata["parse"](raw)
                    except ValueError as error:
                        raise SettingsError(f"{name} must be {error}") from None
                    break
        return cls(**values)

    @classmethod
    def variables(cls, setting: str) -> tuple[str, ...]:
        """The environment variables of a setting, the strongest first."""
        names: tuple[str, ...] = cls.__dataclass_fields__[setting].metadata["names"]
        return names

    @classmethod
    def given(cls, setting: str, environ: Mapping[str, str]) -> str:
        """The unparsed value of a setting in an environment; empty if it is not set."""
        values = (environ.get(name, "").strip() for name in cls.variables(setting))
        return next(filter(None, values), "")

    def to_env(self) -> dict[str, str]:
        """Spell the settings that differ from their defaults, so that `from_env` gives them back."""
        return {
            setting.metadata["names"][0]: str(value).lower() if isinstance(value, bool) else str(value)
            for setting in fields(self)
            if (value := getattr(self, setting.name)) != setting.default
        }
