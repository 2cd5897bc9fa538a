"""What AWS holds of a function, as the local cloud runs it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

RUNTIME = Path(__file__).with_name("awslambdaric.txt")
"""The lock of the pinned runtime client, and what it needs."""


@dataclass(frozen=True)
class Cors:
    """The CORS settings of a Function URL, by AWS's own names."""

    allow_origins: tuple[str, ...] = ()
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    max_age_s: int = 0
    allow_credentials: bool = False


@dataclass(frozen=True, kw_only=True)
class Function:
    """One function: its code and layers unpacked, its configuration, its URL's."""

    code: Path
    """The directory that becomes /var/task."""
    runtime: Path = RUNTIME
    """The lock of the runtime client."""
    opt: Path | None = None
    """The directory that becomes /opt: the union of the layers."""
    handler: str = "lambda_handler.handler"
    environment: Mapping[str, str] = field(default_factory=dict)
    """Configured variables, and what else the function needs: the fakes' addresses, credentials."""
    name: str = "agent"
    version: str = "$LATEST"
    region: str = "us-east-1"
    account: str = "000000000000"
    timeout_s: float = 300
    memory_mb: int = 1024
    reserved_concurrency: int | None = None
    json_logs: bool = True
    log_level: str = "INFO"
    log_group: str = ""
    snapstart: bool = False
    xray: bool = False
    """Whether X-Ray samples its invocations."""
    streaming: bool = False
    """Whether the URL's InvokeMode is RESPONSE_STREAM."""
    auth: str = "none"
    """`none` or `iam`, the URL's."""
    cors: Cors | None = None

    @property
    def arn(self) -> str:
        """The ARN that an invocation contains."""
        qualifier = "" if self.version == "$LATEST" else f":{self.version}"
        return f"arn:aws:lambda:{self.region}:{self.account}:function:{self.name}{qualifier}"
