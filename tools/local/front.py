"""A Function URL on loopback: HTTP in, payload format 2.0 to the function, HTTP out."""

from types import TracebackType
from typing import Self

from tools.local.environments import Environments


class FunctionUrl:
    """The HTTP server in front of a function's environments.

    with Environments(function) as environments, FunctionUrl(environments) as front:
        httpx.post(front.url, json={"query": "…"})
    """

    url: str

    def __init__(self, environments: Environments, *, port: int = 0) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        raise NotImplementedError
