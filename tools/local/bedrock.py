"""A stand-in for bedrock-runtime: Converse and ConverseStream, answered deterministically.

Point boto3 at it with AWS_ENDPOINT_URL_BEDROCK_RUNTIME.

Told to misbehave from Python (`bedrock.tell("throttle", times=2)`) or by a directive in the prompt
(`[[throttle]]`, `[[throttle 2]]` for the first two calls of that conversation only).
"""

from types import TracebackType
from typing import Any, Self


class Bedrock:
    """The server: `with Bedrock() as bedrock: … bedrock.url`."""

    url: str
    requests: list[dict[str, Any]]
    """Every request's decoded body, oldest first, with the model id under `modelId`."""

    def __init__(self, *, port: int = 0, pace_s: float = 0.0) -> None:
        """`pace_s`: the seconds between two deltas of a stream."""
        raise NotImplementedError

    def tell(self, fault: str, *, times: int | None = None) -> None:
        """Make the next calls (all, without `times`) fail so: a key of `FAULTS`; `ok` ends it."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        raise NotImplementedError
