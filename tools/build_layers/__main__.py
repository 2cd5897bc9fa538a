"""`hatch run lock-layers`, `build-layers` and `check-layers`."""

# ruff: noqa: PLC0415 - most builds have nothing to do, and say so before the tools are loaded

import argparse
import importlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import layers
from tools.command import ERR, OUT, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the first word says."""
    options = _parser().parse_args(arguments)
    return int(options.command(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tools.build_layers", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="lock | build | check")

    lock = commands.add_parser("lock", prog="lock-layers", help="resolve both layers jointly, with hashes")
    lock.add_argument(
        "--check", action="store_true", help="only tell whether the locks satisfy what is asked"
    )
    lock.add_argument(
        "--upgrade", nargs="*", metavar="package", help="take newer releases: of these packages, or of all"
    )
    lock.set_defaults(command=_lock)

    build = commands.add_parser(
        "build", prog="build-layers", help="build what is not built yet, and check it"
    )
    build.add_argument("--quiet", action="store_true", help="tell no sizes")
    build.set_defaults(command=_build)

    check = commands.add_parser("check", prog="check-layers", help="put the built layers through every gate")
    check.add_argument("--json", action="store_true", help="for programs")
    check.add_argument("paths", nargs="*", type=Path, help="zips or folders to judge instead, together")
    check.set_defaults(command=_check)
    return parser


def _lock(options: argparse.Namespace) -> int:
    from tools.build_layers import locks

    if options.check:
        locks.check(layers.LAYERS)
        OUT.print("The locks satisfy their requirements, and each other.")
        return 0
    every, some = options.upgrade == [], options.upgrade or ()
    with ERR.status("Resolving both layers together …"):
        texts = locks.lock(layers.LAYERS, upgrade=every, upgrade_packages=some)
    for layer, text in zip(layers.LAYERS, texts, strict=True):
        OUT.print(*locks.changes(layer, text), sep="\n", highlight=False)
        locks.write(layer, text)
    return 0


def _build(options: argparse.Namespace) -> int:
    from tools.build_layers import report

    if any(map(layers.problem, layers.LAYERS)):
        from tools.build_layers import build
        from tools.build_layers.progress import progress

        with ThreadPoolExecutor(1) as pool, progress(quiet=False) as shown:
            gates = pool.submit(importlib.import_module, "tools.build_layers.check")  # while pip downloads
            build.build(progress=shown)
            verdict = gates.result().check_layers(again=False, progress=shown)
        report.breaches(verdict)
        if not verdict.passed:
            return 1
    if not options.quiet:
        report.sizes(layers.LAYERS)
    return 0


def _check(options: argparse.Namespace) -> int:
    from tools.build_layers import check, report
    from tools.build_layers.progress import progress

    with progress(quiet=options.json) as shown:
        verdict = (
            check.check_paths(options.paths, shown) if options.paths else check.check_layers(progress=shown)
        )
    if options.json:
        print(report.as_json(verdict))
    else:
        report.gates(verdict)
        report.breaches(verdict)
    return 0 if verdict.passed else 1


if __name__ == "__main__":
    run(main)
