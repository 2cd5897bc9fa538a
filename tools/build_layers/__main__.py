"""`hatch run lock-layers`, `build-layers` and `check-layers`."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import layers
from tools.command import ERR, OUT, Failure, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the first word says."""
    options = _parser().parse_args(arguments)
    return int(options.command(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tools.build_layers", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="lock | build | check")

    lock = commands.add_parser("lock", prog="lock-layers", help="resolve both layers jointly, with hashes")
    lock.add_argument("--check", action="store_true", help="only tell whether the locks satisfy what is asked")
    lock.add_argument(
        "--upgrade", nargs="*", metavar="package", help="take newer releases: of these packages, or of all"
    )
    lock.set_defaults(command=_lock)

    build = commands.add_parser("build", prog="build-layers", help="build what is not built yet, and check it")
    build.add_argument("--quiet", action="store_true", help="say nothing but what went wrong")
    build.set_defaults(command=_build)

    check = commands.add_parser("check", prog="check-layers", help="put the built layers through every gate")
    check.add_argument("--json", action="store_true", help="for programs")
    check.add_argument(
        "paths", nargs="*", type=Path, metavar="path", help="zips or folders to judge instead, together"
    )
    check.set_defaults(command=_check)
    return parser


def _lock(options: argparse.Namespace) -> int:
    from tools.build_layers import locks

    if options.check:
        locks.check(layers.LAYERS)
        OUT.print("The locks satisfy their requirements, and each other.")
        return 0
    with ERR.status("Resolving both layers for the target …"):
        texts = locks.lock(
            layers.LAYERS, upgrade=options.upgrade == [], upgrade_packages=options.upgrade or ()
        )
    for layer, text in zip(layers.LAYERS, texts, strict=True):
        for line in locks.changes(layer, text):
            OUT.print(line, highlight=False)
        locks.write(layer, text)
    return 0


def _build(options: argparse.Namespace) -> int:
    from tools.build_layers import build, report

    with report.progress(quiet=options.quiet) as progress:
        build.build(progress=progress)
        breaches = _gate(progress) if any(map(layers.problem, layers.LAYERS)) else []
    if not options.quiet:
        report.sizes(layers.LAYERS)
    return report.breaches(breaches)


def _gate(progress: object) -> list[object]:
    return []


def _check(options: argparse.Namespace) -> int:
    raise Failure("not yet")


if __name__ == "__main__":
    run(main)
