"""Deploys the handler anew whenever its source changes."""

import time
from collections.abc import Callable
from pathlib import Path

from layers import function_asset
from tools.local.cloud.local_cloud import LocalCloud

_EVERY_S = 0.3

State = dict[Path, tuple[int, int]]
"""Each file's time and size."""


def files(source: Path) -> list[Path]:
    """What the function's asset is made of."""
    return list(function_asset.source_files(source).values())


def watch(cloud: LocalCloud, say: Callable[[str], None], source: Path = function_asset.DEFAULT_AGENT) -> None:
    """Redeploy on every change, for ever; what does not start is said, and the last code answers on."""
    deployed = seen = _state(source)
    while True:
        time.sleep(_EVERY_S)
        now = _state(source)
        if now == seen and now != deployed:  # it changed, and has come to rest
            say(_redeploy(cloud, source, changed=_changed(deployed, now)))
            deployed = now
        seen = now


def _redeploy(cloud: LocalCloud, source: Path, *, changed: str) -> str:
    try:
        complaint = cloud.update(function_asset.package(source))
    except (function_asset.AssetError, OSError) as error:
        complaint = f"{type(error).__name__}: {error}"
    if complaint:
        return f"{changed} changed, but does not run, so the last deployed code answers on: {complaint}"
    return f"{changed} changed: deployed"


def _state(source: Path) -> State:
    found = {}
    for path in files(source):
        try:
            stat = path.stat()
        except FileNotFoundError:  # gone since it was listed
            continue
        found[path] = (stat.st_mtime_ns, stat.st_size)
    return found


def _changed(before: State, after: State) -> str:
    names = sorted(path.name for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
