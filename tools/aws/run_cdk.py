"""Runs the pinned CDK CLI: `hatch run cdk …`.

The environment is completed by `.env`, and `diff` and `deploy` use the default secret if it exists, both as
`hatch run deploy` does. So `hatch run cdk diff` shows no difference after a deploy.
"""

import argparse
import subprocess
import sys
from collections.abc import Mapping, Sequence

from tools import user_environment
from tools.aws import cdk, checks
from tools.aws.arguments import target
from tools.command import Failure, run

_HELP = ("-h", "--help")


def main(arguments: Sequence[str] | None = None) -> int:
    """Pass the arguments to the CLI."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    environ = user_environment.read()
    if words[:1] in (["diff"], ["deploy"]) and not set(words) & {*_HELP, "-a", "--app"}:
        words += secret_argument(words, environ)
    command = cdk.command(*words)
    return subprocess.run(command, check=False, cwd=cdk.ROOT, env=cdk.environment(environ)).returncode


def secret_argument(words: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """The argument that makes the function read the default secret, if it exists and no other is named."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-c", "--context", action="append", default=[])
    parser.add_argument("--profile")
    options, _ = parser.parse_known_args(words)
    options.region = None
    try:
        with target(options, environ) as found:
            exists = not found.plan.traced and checks.secret_exists(
                found.account.client, found.plan.default_secret
            )
    except Failure:  # the CLI reports the same fault, or needs no credentials
        return []
    return ["-c", "default_secret=true"] if exists else []


if __name__ == "__main__":
    run(main)
