"""Locks and the wheels they name: reads locks, downloads wheels for the target, and caches them by hash.

Nothing here resolves requirements (`tools.build_layers.locking`) or changes a wheel.
"""

from tools.wheels.download import cached_wheels, fetch, iter_wheels
from tools.wheels.lock_file import Pin, read_lock
from tools.wheels.pip_errors import explain, last_line

__all__ = ["Pin", "cached_wheels", "explain", "fetch", "iter_wheels", "last_line", "read_lock"]
