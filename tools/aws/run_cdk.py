"""Runs the pinned CDK CLI: `hatch run cdk …`.

The environment is completed by `.env`. `diff` and `deploy` use the default secret if it exists, and the
Langfuse project that the stack was deployed with. So `hatch run cdk diff` shows no difference after a deploy.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence

from tools import user_environment
from tools.aws import cdk, checks, langfuse_project
from tools.aws.arguments import Target, target
from tools.command import Failure, run

_HELP = ("-h", "--help")


def main(arguments: Sequence[str] | None = None) -> int:
    """Pass the arguments to the CLI."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    environ = user_environment.read()
    if words[:1] in (["diff"], ["deploy"]) and not set(words) & {*_HELP, "-a", "--app"}:
        words += deploy_arguments(words, environ)
    command = cdk.command(*words)
    return subprocess.run(command, check=False, cwd=cdk.ROOT, env=cdk.environment(environ)).returncode


def deploy_arguments(words: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """The context arguments that `hatch run deploy` adds: the default secret and the Langfuse project."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-c", "--context", action="append", default=[])
    parser.add_argument("--profile")
    options, _ = parser.parse_known_args(words)
    options.region = None
    try:
        with target(options, environ) as found:
            return [word for pair in _context(found) for word in ("-c", pair)]
    except Failure:  # the CLI reports the same fault, or needs no credentials
        return []


def _context(found: Target) -> Iterator[str]:
    plan = found.plan
    default_secret = not plan.traced and checks.secret_exists(found.account.client, plan.default_secret)
    if default_secret:
        yield "default_secret=true"
    uses_langfuse = bool(plan.secret or default_secret)
    if (
        uses_langfuse
        and not plan.options.get("langfuse_project")
        and (known := langfuse_project.recorded(found))
    ):
        yield f"langfuse_project={known}"


if __name__ == "__main__":
    run(main)
