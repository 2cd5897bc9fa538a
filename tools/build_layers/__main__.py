"""`hatch run lock-layers`, `build-layers` and `check-layers`."""

# ruff: noqa: PLC0415 - most builds have nothing to do, and end before these imports

import argparse
import gc
import importlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import layers
from tools.command import ERR, OUT, described, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the first argument names."""
    gc.set_threshold(100_000, 20, 20)  # these commands are short and create few cycles
    options = _parser().parse_args(arguments)
    return int(options.command(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tools.build_layers", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="lock | build | check")

    lock = _command(
        commands,
        "lock",
        "Resolves the requirements of both layers together, and writes the locks, with hashes.",
        "hatch run lock-layers --upgrade langfuse",
    )
    lock.add_argument(
        "--check", action="store_true", help="only check that the locks satisfy the requirements"
    )
    lock.add_argument(
        "--upgrade", nargs="*", metavar="package", help="take newer releases of these packages, or of all"
    )
    lock.set_defaults(command=_lock)

    build = _command(
        commands,
        "build",
        "Builds the layers that are not built from the present locks, and checks them.",
        "hatch run build-layers --architecture arm64",
    )
    build.add_argument("--quiet", action="store_true", help="hide the size table")
    build.set_defaults(command=_build)

    check = _command(
        commands,
        "check",
        "Runs every check on the built layers, or on other zips and folders.",
        "hatch run check-layers --strict",
    )
    check.add_argument("--json", action="store_true", help="print JSON")
    check.add_argument("paths", nargs="*", type=Path, help="zips or folders to check instead, together")
    check.set_defaults(command=_check)

    for command in (build, check):
        command.add_argument("--strict", action="store_true", help="reject harmless irregularities too")
        command.add_argument(
            "--architecture", choices=layers.MACHINES, default=layers.ARCHITECTURE, help="of the function"
        )
    return parser


def _command(commands: Any, name: str, description: str, example: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = commands.add_parser(
        name, help=description, **described(f"{name}-layers", description, example)
    )
    return made


def _lock(options: argparse.Namespace) -> int:
    from tools.build_layers.locking import joint_lock

    if options.check:
        joint_lock.check(layers.LAYERS)
        OUT.print("The locks satisfy their requirements, and each other.")
        return 0
    every, some = options.upgrade == [], options.upgrade or ()
    with ERR.status("Resolving both layers together …", refresh_per_second=4):
        locks = joint_lock.resolve(layers.LAYERS, upgrade=every, upgrade_packages=some)
    for layer, text in zip(layers.LAYERS, locks.texts, strict=True):
        OUT.print(*joint_lock.changes(layer, text, locks.newer), sep="\n", highlight=False)
        joint_lock.write(layer, text)
    return 0


def _build(options: argparse.Namespace) -> int:
    from tools.build_layers import output

    stack = layers.for_architecture(options.architecture)
    if any(layers.undeployable_reason(layer, stack) for layer in stack):
        from tools.build_layers.building import build
        from tools.build_layers.progress import progress

        with ThreadPoolExecutor(1) as pool, progress(quiet=False) as shown:
            checks = pool.submit(
                importlib.import_module, "tools.build_layers.checks.run"
            )  # while pip downloads
            built = [layer.name for layer in build.build(stack, progress=shown)]
            report = checks.result().check_layers(stack, again=False, compiled=built, progress=shown)
            report = report.strict() if options.strict else report
        output.findings(report)
        if not report.passed:
            return 1
    if not options.quiet:
        output.sizes(stack)
    return 0


def _check(options: argparse.Namespace) -> int:
    from tools.build_layers import output
    from tools.build_layers.checks.run import check_layers, check_paths
    from tools.build_layers.progress import progress

    with progress(quiet=options.json) as shown:
        if options.paths:
            report = check_paths(options.paths, shown)
        else:
            report = check_layers(layers.for_architecture(options.architecture), progress=shown)
    report = report.strict() if options.strict else report
    if options.json:
        print(output.as_json(report))
    else:
        output.checks(report)
        output.findings(report)
    return 0 if report.passed else 1


if __name__ == "__main__":
    run(main)
