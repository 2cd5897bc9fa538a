"""Runs MiniStack under the Python of its own environment; it starts no process and ends with its parent.

It may start no process: its own Lambda worker would run functions unsandboxed, in what is not AWS's runtime.
It ends when its standard input closes, which happens however its parent ends.
"""

import os
import sys
import threading
from typing import Any

_PROCESSES = (
    "subprocess.Popen",
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
)


def _forbid_processes(event: str, _: tuple[Any, ...]) -> None:
    if event in _PROCESSES:
        raise PermissionError("the local control plane starts no process")


def _end_with_parent() -> None:
    while os.read(0, 1):
        continue
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from ministack.app import main  # type: ignore[import-not-found]

    sys.addaudithook(_forbid_processes)
    main()
