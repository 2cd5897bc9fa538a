"""The client of a Function URL: signs the request or sends a token where required, and reads streams."""

import json
import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard

import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from tools.aws.account import Account, explained
from tools.command import Failure

_REGION = re.compile(r"\.lambda-url\.([a-z0-9-]+)\.on\.aws$")


class EventListener(Protocol):
    """Takes the events of a stream, by name and data, as they arrive."""

    def __call__(self, event: str, data: Mapping[str, Any]) -> None:
        """Take one event."""


@dataclass(frozen=True)
class FunctionClient:
    """Asks a Function URL."""

    http: httpx.Client
    account: Account
    """Whose credentials sign the request."""
    token: str = ""
    """A bearer token, for auth=jwt."""

    def ask(self, url: str, body: bytes, *, listener: EventListener | None = None) -> dict[str, Any]:
        """The answer to a request's body; as a stream if there is a `listener` for its events.

        Without a token the request is signed only after an unsigned one was rejected: a public URL needs no
        credentials.

        Raises:
            Failure: the URL rejected the call, or the response is not an agent's.
        """
        accept = "text/event-stream" if listener else "application/json"
        headers = {"content-type": "application/json", "accept": accept}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        request = self.http.build_request("POST", url, content=body, headers=headers)
        response = self.http.send(request, stream=True)
        if response.status_code == 403 and not self.token:
            response.close()
            region = found[1] if (found := _REGION.search(request.url.host)) else self.account.region
            request.headers.update(signature(url, body, headers, account=self.account.in_region(region)))
            response = self.http.send(request, stream=True)
        try:
            if listener and response.headers.get("content-type", "").startswith("text/event-stream"):
                return _read_stream(response.iter_lines(), listener)
            return _read_answer(response.status_code, response.read())
        finally:
            response.close()


def signature(url: str, body: bytes, headers: Mapping[str, str], *, account: Account) -> dict[str, str]:
    """The headers that sign a call to a Function URL with the account's credentials.

    Raises:
        Failure: there are none.
    """
    with explained():
        credentials = account.session().get_credentials()
        if credentials is None:
            raise Failure(
                "the URL requires signed calls, and no AWS credentials were found: run `aws configure` "
                "or `aws sso login`, or set AWS_PROFILE"
            )
        request = AWSRequest("POST", url, data=body, headers=dict(headers))
        SigV4Auth(credentials.get_frozen_credentials(), "lambda", account.region).add_auth(request)
    return dict(request.headers)


def _read_answer(status: int, content: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(content)
    except ValueError:
        answer = None
    if _is_answer(answer):
        return answer
    raise Failure(_rejection(status, content.decode(errors="replace")))


def _is_answer(content: Any) -> TypeGuard[dict[str, Any]]:
    """Whether it is an agent's answer or error, and not the JSON of another server."""
    if not isinstance(content, dict):
        return False
    if content.get("success") is True:
        return "response" in content
    error = content.get("error")
    return content.get("success") is False and isinstance(error, dict) and {"code", "message"} <= error.keys()


def _rejection(status: int, text: str) -> str:
    """Why AWS, not the function, answered, and what to do."""
    if status == 403:
        return (
            "the URL rejected the call (403): these credentials need lambda:InvokeFunctionUrl and "
            "lambda:InvokeFunction on the function, and this machine's clock must be right"
        )
    if status == 429:
        return (
            "the function is busy (429): its concurrency is used up; try again, or deploy with a higher "
            "-c reserved_concurrency, or raise the account's limit in Service Quotas"
        )
    if status == 502:
        return "the function crashed or timed out (502): see its log with `hatch run logs`"
    return (
        f"the URL answered with status {status}: {text.strip()[:200]}; check that it is the Function URL of "
        "this agent"
    )


_FIELDS: Mapping[str, Set[str]] = {"text": {"text"}, "tool": {"name", "state"}}
"""The fields that events have, if a listener needs them."""


def _read_stream(lines: Iterator[str], listener: EventListener) -> dict[str, Any]:
    for event, data in _events(lines):
        last = event in ("result", "error")
        if not (_is_answer(data) if last else _has_fields(event, data)):
            raise _foreign()
        listener(event, data)
        if last:
            return dict(data)
    raise Failure("the stream ended without a result: see the function's log with `hatch run logs`")


def _foreign() -> Failure:
    return Failure("the stream is not one of this agent: check that the URL is its Function URL")


def _has_fields(event: str, data: Any) -> bool:
    return isinstance(data, dict) and _FIELDS.get(event, set()) <= data.keys()


def _events(lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
    event = ""
    for line in lines:
        if line.startswith("event: "):
            event = line.removeprefix("event: ")
        elif line.startswith("data: "):
            try:
                yield event, json.loads(line.removeprefix("data: "))
            except ValueError:
                raise _foreign() from None
