"""Asks the deployed agent: `hatch run invoke [--url URL] "question"`.

Signs with SigV4 where the URL is for signed calls only.
"""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import boto3
import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from tools.aws import account
from tools.command import ERR, OUT, Failure, run

TIMEOUT_S = 910
"""Longer than any function may run."""

Hear = Callable[[str, Mapping[str, Any]], None]
"""Takes the events of a stream, by name and data, as they come."""

_REGION = re.compile(r"\.lambda-url\.([a-z0-9-]+)\.on\.aws$")
_PLAIN: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False, "soft_wrap": True}


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask, and show the answer, what it used, and where its trace is; 1 if there was none."""
    options = _parser().parse_args(arguments)
    region = account.region(options.region)
    url = options.url or account.outputs(region)["FunctionUrl"]
    query = {"query": options.question, "session_id": options.session}
    body = json.dumps({name: value for name, value in query.items() if value is not None}).encode()
    bearer = token(os.environ, options.token_command)
    with httpx.Client(timeout=TIMEOUT_S) as client, _reached(url):
        answer = ask(client, url, body, region=region, hear=_listener(options), bearer=bearer)
    if options.json:
        OUT.print_json(data=answer)
    elif answer.get("success"):
        show(answer, printed=options.stream)
    else:
        raise Failure("{code}: {message}".format(**answer["error"]))
    return 0 if answer.get("success") else 1


def _listener(options: argparse.Namespace) -> Hear | None:
    if not options.stream:
        return None
    return (lambda *_: None) if options.json else _print_event


def _print_event(event: str, data: Mapping[str, Any]) -> None:
    if event == "text":
        print(data["text"], end="", flush=True)
    elif event == "tool" and data["state"] == "started":
        print(flush=True)
        ERR.print(f"[{data['name']}]", style="dim", **_PLAIN)
    elif event == "result":
        print(flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="invoke", description=__doc__)
    parser.add_argument("question", help="what to ask")
    parser.add_argument("--url", help="the Function URL (default: the deployed stack's)")
    parser.add_argument("--region", help="where the stack is (default: AWS_REGION, else us-east-1)")
    parser.add_argument("--session", metavar="ID", help="continue this conversation")
    parser.add_argument(
        "--token-command",
        metavar="COMMAND",
        help="prints the bearer token of an auth=jwt URL (default: the variable AGENT_TOKEN)",
    )
    parser.add_argument("--stream", action="store_true", help="print the answer as it comes")
    parser.add_argument("--json", action="store_true", help="print the whole answer, for programs")
    return parser


def ask(  # noqa: PLR0913 - all but the request by name
    client: httpx.Client,
    url: str,
    body: bytes,
    *,
    region: str,
    hear: Hear | None = None,
    bearer: str = "",
) -> dict[str, Any]:
    """The answer to a request's body; as a stream when there is someone to `hear` its events.

    The call is signed once an unsigned one was refused: an open URL needs no credentials.

    Raises:
        Failure: the URL refused the call, or answered what no agent says.
    """
    accept = "text/event-stream" if hear else "application/json"
    headers = {"content-type": "application/json", "accept": accept}
    if bearer:
        headers["authorization"] = f"Bearer {bearer}"
    request = client.build_request("POST", url, content=body, headers=headers)
    response = client.send(request, stream=True)
    if response.status_code == 403 and not bearer:
        response.close()
        region = found[1] if (found := _REGION.search(request.url.host)) else region
        request.headers.update(signature(url, body, headers, region=region))
        response = client.send(request, stream=True)
    try:
        if hear and response.headers.get("content-type", "").startswith("text/event-stream"):
            return _streamed(response.iter_lines(), hear)
        return _answered(response.status_code, response.read())
    finally:
        response.close()


def token(environ: Mapping[str, str], command: str | None) -> str:
    """The bearer token to send; empty if there is none.

    Args:
        environ: where AGENT_TOKEN may be set.
        command: a command that prints the token; it is run without a shell.

    Raises:
        Failure: the command failed or printed no token.
    """
    if not command:
        return environ.get("AGENT_TOKEN", "").strip()
    try:
        ran = subprocess.run(shlex.split(command), check=True, capture_output=True, text=True, timeout=60)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        raise Failure(f"--token-command failed: {said[-1] if said else error}") from None
    if not (printed := ran.stdout.strip()) or len(printed.split()) != 1:
        raise Failure("--token-command did not print one token: let it print the token and nothing else")
    return printed


def signature(url: str, body: bytes, headers: Mapping[str, str], *, region: str) -> dict[str, str]:
    """The headers that sign a call to a Function URL with the caller's credentials.

    Raises:
        Failure: there are none.
    """
    with account.explained():
        credentials = boto3.Session().get_credentials()
        if credentials is None:
            raise Failure(
                "the URL is for signed calls only, and no AWS credentials were found: run `aws configure` "
                "or `aws sso login`, or set AWS_PROFILE"
            )
        request = AWSRequest("POST", url, data=body, headers=dict(headers))
        SigV4Auth(credentials.get_frozen_credentials(), "lambda", region).add_auth(request)
    return dict(request.headers)


def _answered(status: int, content: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(content)
    except ValueError:
        answer = None
    if isinstance(answer, dict) and "success" in answer:
        return answer
    raise Failure(_refused(status, content.decode(errors="replace")))


def _refused(status: int, text: str) -> str:
    """Why AWS, not the function, answered, and what to do."""
    if status == 403:
        return (
            "the URL refused the call (403): these credentials need lambda:InvokeFunctionUrl and "
            "lambda:InvokeFunction on the function, and the clock must be right"
        )
    if status == 429:
        return (
            "the function is busy (429): its concurrency is used up; try again, or deploy with a higher "
            "-c reserved_concurrency, or raise the account's limit in Service Quotas"
        )
    if status == 502:
        return "the function crashed or ran into its timeout (502): its log says more"
    return f"the URL answered with status {status}: {text.strip()[:200]}"


def _streamed(lines: Iterator[str], hear: Hear) -> dict[str, Any]:
    for event, data in _events(lines):
        hear(event, data)
        if event in ("result", "error"):
            return data
    raise Failure("the answer broke off: the function's log says why")


def _events(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    event = ""
    for line in lines:
        if line.startswith("event: "):
            event = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield event, json.loads(line.removeprefix("data: "))


def show(answer: Mapping[str, Any], *, printed: bool = False) -> None:
    """Print an answer for people; its text too, unless it was `printed` as it came."""
    if not printed:
        OUT.print(answer["response"], **_PLAIN)
    usage = answer.get("usage") or {}
    tokens = f"{usage.get('inputTokens', 0)} tokens in, {usage.get('outputTokens', 0)} out"
    ERR.print(
        f"\n{tokens}, {answer['duration_ms'] / 1000:.1f} s, {answer['model_id']}", style="dim", **_PLAIN
    )
    if where := answer.get("trace_url") or answer.get("trace_id"):
        ERR.print(f"Trace: {where}", style="dim", **_PLAIN)


@contextmanager
def _reached(url: str) -> Iterator[None]:
    try:
        yield
    except httpx.TimeoutException:
        raise Failure(f"{url} did not answer in {TIMEOUT_S} s") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Failure(f"{url} was not reached ({error}): check the address") from None


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    run(main)
