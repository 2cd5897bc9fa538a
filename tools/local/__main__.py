"""`python -m tools.local demo` and `python -m tools.local serve`: the stack, deployed to this machine."""

import signal

# Ctrl-C during the imports below ends the process without a traceback; `main` restores KeyboardInterrupt.
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import sys

from tools.command import run
from tools.local.commands import demo, serve


def main() -> int:
    """Read the command line and run the command."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    arguments = parser().parse_args()
    return int(arguments.command(arguments))


def parser() -> argparse.ArgumentParser:
    """The parser of both commands."""
    made = argparse.ArgumentParser(prog="python -m tools.local", description=__doc__)
    commands = made.add_subparsers(required=True, metavar="demo|serve")
    for module in (demo, serve):
        module.add_parser(commands)
    return made


if __name__ == "__main__":
    run(main)
