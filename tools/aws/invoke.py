"""Asks the deployed agent, and prints the answer, its tokens and the link to its trace.

Finds the URL of the deployed stack, and signs the request (SigV4) or sends a bearer token where the URL
requires it. `-` reads the question from standard input, also with braces, which hatch replaces in arguments.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TextIO

import httpx

from tools.aws import stacks
from tools.aws.account import Account
from tools.aws.arguments import parser, target
from tools.aws.function_client import FunctionClient
from tools.command import ERR, OUT, PLAIN, Failure, run

EXAMPLE = 'hatch run invoke "What is 2+2?"'
TIMEOUT_S = 910
"""Longer than any function can run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask, and print the answer; 1 if there was none."""
    options = _parser().parse_args(arguments)
    body = request_body(options, lambda: read_input(sys.stdin))
    url, account = _endpoint(options)
    bearer = token(os.environ, options.token_command)
    listener = EventPrinter(options.json, live=sys.stdout.isatty()) if options.stream else None
    with httpx.Client(timeout=TIMEOUT_S) as client, _reached(url):
        answer = FunctionClient(client, account, token=bearer).ask(url, body, listener=listener)
    streamed = listener is not None and listener.events > 0
    if options.json:
        if not streamed:
            print(json.dumps(answer)) if options.stream else OUT.print_json(data=answer)
    elif answer.get("success"):
        show(answer, printed=streamed)
    else:
        raise Failure(_error(answer["error"], bearer))
    return 0 if answer.get("success") else 1


def _error(error: Mapping[str, str], bearer: str) -> str:
    remedy = "" if bearer or error["code"] != "unauthorized" else "; set AGENT_TOKEN or pass --token-command"
    return f"{error['code']}: {error['message']}{remedy}"


def _parser() -> argparse.ArgumentParser:
    made = parser("invoke", __doc__ or "", EXAMPLE)
    made.add_argument("question", help="what to ask; - reads it from standard input")
    made.add_argument("--url", help="the Function URL (default: the deployed stack's)")
    made.add_argument(
        "--token-command",
        metavar="COMMAND",
        help="prints the bearer token of an auth=jwt URL (default: the variable AGENT_TOKEN)",
    )
    made.add_argument("--session", metavar="ID", help="continue this conversation")
    made.add_argument("--stream", action="store_true", help="print the answer as it is generated")
    made.add_argument("--json", action="store_true", help="print JSON; with --stream one event a line")
    return made


def read_input(stream: TextIO) -> str:
    """All of a stream, such as standard input, as UTF-8 whatever the locale is.

    Raises:
        Failure: it is not UTF-8.
    """
    if not (raw := getattr(stream, "buffer", None)):
        return stream.read()
    try:
        return str(raw.read().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise Failure(f"standard input is not UTF-8 at byte {error.start}: convert the question") from None


def request_body(options: argparse.Namespace, read: Callable[[], str]) -> bytes:
    """The request's JSON; `read` returns standard input."""
    question = read() if options.question == "-" else options.question
    query = {"query": question.strip(), "session_id": options.session}
    return json.dumps({name: value for name, value in query.items() if value is not None}).encode()


def _endpoint(options: argparse.Namespace) -> tuple[str, Account]:
    """The URL to call, and the account that signs.

    Raises:
        Failure: nothing is deployed, or --session is given and the stack keeps no sessions.
    """
    if options.url:
        return options.url, Account(options.profile, options.region or Account.region)
    with target(options) as selected:
        deployed = stacks.get(selected.plan, selected.account)
        if options.session and "SessionBucket" not in deployed.outputs:
            raise Failure(
                f"{deployed.name} keeps no conversations: deploy it with -c sessions=true to use --session"
            )
        return deployed.outputs["FunctionUrl"], selected.account


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
        output = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        raise Failure(f"--token-command failed: {output[-1] if output else error}") from None
    if not (printed := ran.stdout.strip()) or len(printed.split()) != 1:
        raise Failure("--token-command did not print one token: let it print the token and nothing else")
    return printed


@dataclass
class EventPrinter:
    """Prints the events of a stream: as text, or as one JSON object a line as they arrive.

    In a terminal the text is printed as it arrives. Elsewhere it is printed at the end, because a `reset`
    makes the text so far void: what reads the output gets the answer once.
    """

    as_json: bool = False
    live: bool = False
    """Whether the output is a terminal."""
    events: int = 0
    _text: str = ""

    def __call__(self, event: str, data: Mapping[str, Any]) -> None:
        """Print one event."""
        self.events += 1
        if self.as_json:
            print(json.dumps({"event": event, "data": data}), flush=True)
        elif event == "text":
            self._write(data["text"])
        elif event == "reset":
            self._restart()
        elif event == "tool" and data["state"] == "started":
            self._write("\n")
            ERR.print(f"[{data['name']}]", style="dim", **PLAIN)
        elif event == "result":
            print(self._text.strip(), flush=True)

    def _write(self, text: str) -> None:
        if self.live:
            print(text, end="", flush=True)
        else:
            self._text += text

    def _restart(self) -> None:
        if self.live:
            print(flush=True)
            ERR.print("The model starts again; the text above is void.", style="yellow", **PLAIN)
        self._text = ""


def show(answer: Mapping[str, Any], *, printed: bool = False) -> None:
    """Print an answer for people; without its text if that was `printed` while it streamed."""
    if not printed:
        OUT.print(answer["response"], **PLAIN)
    usage = answer.get("usage") or {}
    tokens = f"{usage.get('inputTokens', 0)} tokens in, {usage.get('outputTokens', 0)} out"
    seconds = answer.get("duration_ms", 0) / 1000
    ERR.print(f"\n{tokens}, {seconds:.1f} s, {answer.get('model_id', '')}", style="dim", **PLAIN)
    if (reason := answer.get("stop_reason", "end_turn")) not in ("end_turn", "tool_use"):
        ERR.print(f"The run stopped early: {reason}. docs/api.md explains it.", style="yellow", **PLAIN)
    if where := answer.get("trace_url") or answer.get("trace_id"):
        ERR.print(f"Trace: {where}", style="dim", **PLAIN)


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
