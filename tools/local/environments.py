"""Execution environments: one per concurrent request, frozen between requests, replaced when they die."""

from collections.abc import Iterator
from types import TracebackType
from typing import Self

from tools.local.function import Function


class Throttled(Exception):  # noqa: N818 - AWS's word
    """Every environment that the function may have is busy."""


class Outcome:
    """How one invocation ended, or goes on when it streams."""

    request_id: str
    content_type: str
    streamed: bool
    """Whether the function answered in the Runtime API's streaming mode."""

    @property
    def payload(self) -> bytes:
        """The whole response; waits for the end of a streamed one."""
        raise NotImplementedError

    @property
    def error(self) -> dict[str, object] | None:
        """AWS's error object (errorType, errorMessage, …), if it failed; waits as `payload` does."""
        raise NotImplementedError

    def chunks(self) -> Iterator[bytes]:
        """The response, as it comes."""
        raise NotImplementedError


class Environments:
    """The environments of one function.

    with Environments(function) as environments:
        outcome = environments.invoke(b'{"query": "…"}')
    """

    def __init__(self, function: Function) -> None:
        raise NotImplementedError

    def invoke(self, payload: bytes) -> Outcome:
        """Run the function once; returns when the response, or its first byte, is there.

        Raises:
            Throttled: no environment is free and none may be added.
        """
        raise NotImplementedError

    def deploy(self, function: Function) -> None:
        """Run this from the next request on; environments of the old one end with their request."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        raise NotImplementedError
