"""`python -m tools.local demo` and `python -m tools.local serve`: the stack, deployed to this machine."""

import argparse
import json
import os
import signal
import sys
import time
from typing import Any

import httpx

from tools.command import ERR, OUT, Failure, run
from tools.local import tree
from tools.local.cloud import LocalCloud
from tools.local.watch import watch

QUESTION = "What is 12 * (3 + 4)?"
_PATIENCE_S = 30.0


def main() -> int:
    """Read the command line and do it."""
    arguments = _parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    return int(arguments.command(arguments))


def demo(arguments: argparse.Namespace) -> int:
    """Ask the deployed function one question; show its answer and its trace."""
    began = time.monotonic()
    with _cloud(arguments, began) as cloud:
        _step("asking it", began)
        asked = {"query": arguments.question}
        response = httpx.post(cloud.url, json=asked, timeout=330, trust_env=False)
        answer = _json(response)
        OUT.print_json(data=answer)
        if response.status_code != 200:
            return 1
        _step("waiting for its trace", began)
        _show_trace(cloud, str(answer["trace_id"]))
        _step("done", began)
    return 0


def serve(arguments: argparse.Namespace) -> int:
    """Keep the function running until Ctrl-C, and its code as it is edited."""
    try:
        with _cloud(arguments, time.monotonic()) as cloud:
            _announce(cloud, arguments)
            watch(cloud, _say)
    except KeyboardInterrupt:
        _say("stopped")
    return 0


def _announce(cloud: LocalCloud, arguments: argparse.Namespace) -> None:
    if arguments.json:
        print(json.dumps(cloud.endpoints), flush=True)
        return
    OUT.print(f"Function URL: {cloud.url}", highlight=False, soft_wrap=True)
    ask = f"""curl -H 'Content-Type: application/json' -d '{{"query": "{QUESTION}"}}' {cloud.url}"""
    OUT.print(f"\n  {ask}\n", markup=False, highlight=False, soft_wrap=True)
    OUT.print("Edit packages/handler/src, and the next request runs it; Ctrl-C stops everything.")
    sys.stdout.flush()


def _cloud(arguments: argparse.Namespace, began: float) -> LocalCloud:
    return LocalCloud(
        dict(arguments.context),
        port=arguments.port,
        environ=os.environ,
        real_bedrock=arguments.bedrock,
        progress=lambda step: _step(step, began),
    )


def _show_trace(cloud: LocalCloud, trace_id: str) -> None:
    if not cloud.keeps_traces:
        if not cloud.logs.wait_exported(_PATIENCE_S):
            raise Failure(
                f"your backend did not take the trace {trace_id}: the function's log above says why"
            )
        OUT.print(f"trace {trace_id}: accepted by your backend", highlight=False)
    elif trace := cloud.langfuse.wait_for(trace_id, _PATIENCE_S):
        OUT.print(tree.text(trace), markup=False, highlight=False, soft_wrap=True)
    else:
        raise Failure(f"the trace {trace_id} did not arrive: the function's log above says why")


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        return dict(response.json())
    except ValueError:
        raise Failure(f"{response.status_code} {response.text}: the function's log above says why") from None


def _step(says: str, began: float) -> None:
    ERR.print(f"{time.monotonic() - began:5.1f} s  {says}", style="dim", highlight=False)


def _say(line: str) -> None:
    ERR.print(line, markup=False, highlight=False, soft_wrap=True)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise argparse.ArgumentTypeError(f"{text!r} is not key=value")
    return key, value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.local", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="demo|serve")
    for name, command in {"demo": demo, "serve": serve}.items():
        one = commands.add_parser(name, description=command.__doc__, help=command.__doc__)
        one.set_defaults(command=command)
        one.add_argument("-c", "--context", action="append", default=[], type=_pair, metavar="KEY=VALUE")
        one.add_argument("--port", type=int, default=0, help="the Function URL's (default: a free one)")
        one.add_argument("--bedrock", action="store_true", help="ask the real Bedrock, with your credentials")
        if command is serve:
            one.add_argument("--json", action="store_true", help="say where it is in one line of JSON")
        else:
            one.add_argument("question", nargs="?", default=QUESTION)
    return parser


if __name__ == "__main__":
    run(main)
