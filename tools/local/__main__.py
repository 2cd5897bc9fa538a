"""`python -m tools.local demo` and `python -m tools.local serve`: the stack, deployed to this machine."""

import argparse
import signal
import sys

from tools.command import run
from tools.local.commands import demo, serve


def main() -> int:
    """Read the command line and run the command."""
    arguments = _parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    return int(arguments.command(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.local", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="demo|serve")
    for module in (demo, serve):
        module.add_parser(commands)
    return parser


if __name__ == "__main__":
    run(main)
