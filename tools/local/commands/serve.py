"""`serve`: the deployed function, kept running, with its code as it is edited."""

import argparse
import json
import sys

from tools.command import ERR, OUT
from tools.local.cloud.code_watcher import CodeWatcher
from tools.local.cloud.local_cloud import LocalCloud
from tools.local.commands.options import (
    QUESTION,
    Progress,
    add_command,
    agent_option,
    fake_model_note,
    local_cloud,
)
from tools.local.commands.parent_watch import stop_with_hatch
from tools.local.function_url.server import CREDENTIALS


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = add_command(
        commands, "serve", serve, script="local", example="hatch run local --port 8080 -c streaming=true"
    )
    parser.add_argument("--json", action="store_true", help="print the endpoints as one line of JSON")


def serve(arguments: argparse.Namespace) -> int:
    """Keep the function running until Ctrl-C, and deploy its code whenever it is edited."""
    stop_with_hatch()
    try:
        with local_cloud(arguments, Progress()) as cloud:
            watcher = CodeWatcher(cloud, _report)
            _announce(cloud, arguments)
            watcher.run()
    except KeyboardInterrupt:
        _report("stopped")
    return 0


def _announce(cloud: LocalCloud, arguments: argparse.Namespace) -> None:
    if arguments.json:
        print(json.dumps(cloud.endpoints), flush=True)
        return
    _print(f"Function URL: {cloud.url}")
    if cloud.page_url:
        _print(f"Page:         {cloud.page_url} (open it in a browser)")
    if cloud.keeps_traces:
        _print(f"Traces:       {cloud.langfuse.url}/")
    _print(f"\n  {_curl(cloud)}\n")
    if note := fake_model_note(cloud, f"hatch run local{agent_option(arguments)} --bedrock"):
        _print(note)
    _print(f"Edit {cloud.plan.source}: the next request runs the new code. Ctrl-C stops everything.")
    sys.stdout.flush()


def _curl(cloud: LocalCloud) -> str:
    """A command that asks the question, signed or with a token if the URL requires it."""
    function = cloud.pool.function
    signed = ""
    if function.auth == "iam":
        user = f"{CREDENTIALS.access_key}:{CREDENTIALS.secret_key}"
        signed = f"--aws-sigv4 aws:amz:{function.region}:lambda --user {user} "
    elif cloud.openid:
        signed = f"-H 'Authorization: Bearer {cloud.openid.token()}' "
    return (
        f"curl {signed}-H 'Content-Type: application/json' "
        f"""-d '{{"query": "{QUESTION}"}}' {cloud.url}"""
    )


def _print(text: str) -> None:
    OUT.print(text, markup=False, highlight=False, soft_wrap=True)


def _report(line: str) -> None:
    ERR.print(line, markup=False, highlight=False, soft_wrap=True)
