"""The whole of it: the stack deployed to an emulated control plane, read back, and served."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from tools.local.bedrock import Bedrock
from tools.local.langfuse import Langfuse


class LocalCloud:
    """Everything from bootstrap to Function URL: `with LocalCloud({"auth": "iam"}) as cloud: cloud.url`."""

    url: str
    """The Function URL, with a trailing slash."""
    bedrock: Bedrock
    langfuse: Langfuse
    outputs: Mapping[str, str]
    """The stack's outputs, as deployed."""
    control_plane: str
    """The AWS endpoint."""

    def __init__(self, context: Mapping[str, str] | None = None, *, port: int = 0) -> None:
        raise NotImplementedError

    def client(self, service: str) -> Any:
        """A boto3 client of the control plane."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        raise NotImplementedError
