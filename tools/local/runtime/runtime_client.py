"""AWS's own Python runtime client, as the managed runtime has it in /var/runtime.

`runtime.txt` pins it with hashes; to move on, change the versions and put in the hashes that
`pip download` and `pip hash` give for the target.
"""

import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from layers import interpreter
from tools import archives, cache, wheels

BOOTSTRAP = Path(__file__).with_name("bootstrap.py")


def directory(lock: Path) -> Path:
    """The unpacked runtime; made once per lock, bootstrap and interpreter, then kept.

    Raises:
        Failure: a wheel or the interpreter cannot be had.
    """
    python = interpreter.target()
    digest = hashlib.sha256(lock.read_bytes() + BOOTSTRAP.read_bytes() + str(python).encode()).hexdigest()[
        :16
    ]
    return kept(cache.CACHE / "runtime" / digest, functools.partial(_fill, lock=lock, python=python))


def _fill(target: Path, lock: Path, python: Path) -> None:
    for wheel in wheels.fetch(lock):
        archives.extract(wheel, target)
    shutil.copy(BOOTSTRAP, target)
    compileall = ["-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(target)]
    subprocess.run([str(python), "-I", *compileall], check=True, stdin=subprocess.DEVNULL)


def kept(target: Path, fill: Callable[[Path], None]) -> Path:
    """A directory that `fill` fills the first time; whole, or not there."""
    if not target.is_dir():
        cache.make_folder(target.parent)
        made = Path(tempfile.mkdtemp(dir=target.parent, prefix="making-"))
        try:
            fill(made)
            made.chmod(0o755)
            made.rename(target)
        except OSError:
            if not target.is_dir():  # else another process was faster
                raise
        finally:
            shutil.rmtree(made, ignore_errors=True)
    os.utime(target)
    return target
