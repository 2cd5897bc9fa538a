"""Deploys the handler anew whenever its source changes."""

import io
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from tools.aws.cdk import ROOT
from tools.local.cloud.local_cloud import LocalCloud

SOURCE = ROOT / "packages" / "handler" / "src"

_EVERY_S = 0.3
_TIME = (1980, 1, 1, 0, 0, 0)

State = dict[Path, tuple[int, int]]
"""Each file's time and size."""


def files(source: Path) -> list[Path]:
    """What the function's asset is made of."""
    found = (path for path in source.rglob("*") if "__pycache__" not in path.parts and path.is_file())
    return sorted(path for path in found if ".egg-info" not in str(path))


def package(source: Path) -> bytes:
    """The asset's zip.

    Raises:
        SyntaxError: a module cannot be compiled.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files(source):
            data = path.read_bytes()
            name = path.relative_to(source).as_posix()
            if path.suffix == ".py":
                compile(data, name, "exec", dont_inherit=True)
            archive.writestr(zipfile.ZipInfo(name, _TIME), data)
    return packed.getvalue()


def watch(cloud: LocalCloud, say: Callable[[str], None], source: Path = SOURCE) -> None:
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
        complaint = cloud.update(package(source))
    except (SyntaxError, OSError) as error:
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
