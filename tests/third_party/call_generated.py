"""Calls the URL with the client that openapi-python-client generated as `agent_client`; prints what it got.

It is type-checked with the client before it runs. Standard input is a JSON object: the URL, a token,
and for each error code what is changed in a good request to cause it.
"""

import dataclasses
import json
import sys
from typing import Any

import httpx
from agent_client import AuthenticatedClient
from agent_client.api.agent import ask, feedback, invoke
from agent_client.api.service import health
from agent_client.models import (
    Answer,
    DemoRequest,
    ErrorResponse,
    Feedback,
    FeedbackRequest,
    Health,
    PromptRequest,
    QueryRequest,
)


@dataclasses.dataclass
class Changed(httpx.BaseTransport):
    """Changes requests before they are sent."""

    changes: dict[str, Any]
    sender: httpx.HTTPTransport = dataclasses.field(default_factory=httpx.HTTPTransport)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        headers = {"authorization": request.headers["authorization"], "content-type": "application/json"}
        changed = httpx.Request(
            self.changes.get("method", request.method),
            request.url.join(self.changes.get("path", request.url.path)),
            headers={**headers, **self.changes.get("headers", {})},
            content=self.changes.get("content", request.read()),
        )
        return self.sender.handle_request(changed)


def client(told: dict[str, Any], changes: dict[str, Any] | None = None) -> AuthenticatedClient:
    made = AuthenticatedClient(base_url=told["url"].rstrip("/"), token=told["token"])
    headers = {"authorization": f"Bearer {told['token']}"}
    transport = Changed(changes or {})
    return made.set_httpx_client(
        httpx.Client(base_url=told["url"].rstrip("/"), headers=headers, transport=transport, timeout=60)
    )


def answer(found: object) -> Answer:
    if not isinstance(found, Answer):
        raise TypeError(f"not an answer: {found}")
    return found


def error_code(told: dict[str, Any], case: dict[str, Any]) -> str:
    body = QueryRequest(query=case.get("query", "Hello"))
    if "session_id" in case:
        body.session_id = case["session_id"]
    found = ask.sync(client=client(told, case), body=body)
    if not isinstance(found, ErrorResponse):
        raise TypeError(f"not an error: {found}")
    return found.error.code


def main() -> None:
    told = json.load(sys.stdin)
    codes = {code: error_code(told, case) for code, case in told["errors"].items()}
    asked = answer(ask.sync(client=client(told), body=QueryRequest(query="What is 6 * 7?")))
    invoked = answer(invoke.sync(client=client(told), body=PromptRequest(prompt="What is 6 * 7?")))
    demo = answer(ask.sync(client=client(told), body=DemoRequest(action="run_demo")))
    healthy = health.sync(client=client(told))
    if not isinstance(asked.trace_id, str):
        raise TypeError("the answer has no trace_id")
    scored = feedback.sync(
        client=client(told), body=FeedbackRequest(trace_id=asked.trace_id, value=1, comment="good")
    )
    got = {
        "errors": codes,
        "responses": [asked.response, invoked.response, demo.response],
        "tokens": asked.usage.total_tokens,
        "accepted": isinstance(scored, Feedback) and scored.trace_id == asked.trace_id,
        "healthy": isinstance(healthy, Health) and healthy.status == "Healthy",
    }
    print(json.dumps(got))


main()
