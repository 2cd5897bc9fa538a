"""`serve`: the deployed function, kept running, with its code as it is edited."""

import argparse
import json
import sys

from tools.command import ERR, OUT
from tools.local.cloud.code_watcher import watch
from tools.local.cloud.local_cloud import LocalCloud
from tools.local.commands.options import QUESTION, Progress, add_command, local_cloud


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = add_command(commands, "serve", serve)
    parser.add_argument("--json", action="store_true", help="print the endpoints as one line of JSON")


def serve(arguments: argparse.Namespace) -> int:
    """Keep the function running until Ctrl-C, and deploy its code whenever it is edited."""
    try:
        with local_cloud(arguments, Progress()) as cloud:
            _announce(cloud, as_json=arguments.json)
            watch(cloud, _report)
    except KeyboardInterrupt:
        _report("stopped")
    return 0


def _announce(cloud: LocalCloud, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(cloud.endpoints), flush=True)
        return
    OUT.print(f"Function URL: {cloud.url}", highlight=False, soft_wrap=True)
    token = f" -H 'Authorization: Bearer {cloud.openid.token()}'" if cloud.openid else ""
    ask = f"""curl{token} -H 'Content-Type: application/json' -d '{{"query": "{QUESTION}"}}' {cloud.url}"""
    OUT.print(f"\n  {ask}\n", markup=False, highlight=False, soft_wrap=True)
    OUT.print("Edit packages/handler/src, and the next request runs it; Ctrl-C stops everything.")
    sys.stdout.flush()


def _report(line: str) -> None:
    ERR.print(line, markup=False, highlight=False, soft_wrap=True)
