"""`demo`: one question to the deployed function, its answer and its trace.

Standard output is the answer's JSON, so that it can be piped; everything else is on standard error.
"""

import argparse
from typing import Any

import httpx

from tools.command import ERR, OUT, Failure
from tools.local.cloud.local_cloud import LocalCloud
from tools.local.commands.options import (
    QUESTION,
    Progress,
    add_command,
    agent_option,
    fake_model_note,
    local_cloud,
)
from tools.local.traces import trace_view

_TRACE_TIMEOUT_S = 30.0
_NEXT = """
Next: `hatch run local{options}` keeps the agent running while you edit {source}/agent.py;
      `hatch run deploy{options}` deploys it to AWS."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = add_command(
        commands, "demo", demo, script="demo", example='hatch run demo "What is 5 km in mi?" | jq .response'
    )
    parser.add_argument("question", nargs="?", default=QUESTION, help="(default: %(default)s)")


def demo(arguments: argparse.Namespace) -> int:
    """Ask the deployed function one question; show its answer and its trace."""
    progress = Progress()
    with local_cloud(arguments, progress) as cloud:
        progress("asking the question")
        response = httpx.post(cloud.url, json={"query": arguments.question}, timeout=330, trust_env=False)
        answer = _json(response)
        OUT.print_json(data=answer)
        if response.status_code != 200:
            return 1
        progress("waiting for the trace")
        _show_trace(cloud, str(answer["trace_id"]))
        _print(fake_model_note(cloud, f"hatch run demo{agent_option(arguments)} --bedrock"))
        _print(_NEXT.format(source=cloud.plan.source, options=agent_option(arguments)))
        progress("done")
    return 0


def _show_trace(cloud: LocalCloud, trace_id: str) -> None:
    if not cloud.keeps_traces:
        if not cloud.logs.wait_exported(_TRACE_TIMEOUT_S):
            raise Failure(f"your backend did not accept the trace {trace_id}: see the function's log above")
        _print(f"trace {trace_id}: accepted by your backend")
    elif trace := cloud.langfuse.wait_for(trace_id, _TRACE_TIMEOUT_S):
        _print(trace_view.text(trace))
    else:
        raise Failure(f"the trace {trace_id} did not arrive: see the function's log above")


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        return dict(response.json())
    except ValueError:
        raise Failure(f"{response.status_code} {response.text}: see the function's log above") from None


def _print(text: str) -> None:
    if text:
        ERR.print(text, markup=False, highlight=False, soft_wrap=True)
