"""Stops the command when `hatch run` is stopped: hatch does not pass SIGTERM on to what it started."""

import contextlib
import os
import select
import signal
import threading
from pathlib import Path


def stop_with_hatch() -> None:
    """Send this process a SIGTERM as soon as the hatch that runs it has ended; nothing without hatch."""
    if pid := _hatch(os.getppid()):
        with contextlib.suppress(OSError):  # it has ended, or the kernel has no pidfd
            handle = os.pidfd_open(pid)
            threading.Thread(target=_wait, args=(handle,), daemon=True).start()


def _wait(handle: int) -> None:
    select.select([handle], [], [])
    os.kill(os.getpid(), signal.SIGTERM)


def _hatch(pid: int) -> int | None:
    """The nearest ancestor that is a hatch."""
    while pid > 1:
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            status = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return None
        if any(word.rpartition(b"/")[2] == b"hatch" for word in words[:4]):
            return pid
        pid = int(status.rpartition(")")[2].split()[1])
    return None
