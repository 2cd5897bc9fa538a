"""Deploys the function's code whenever its source changes, and reports what needs a restart."""

import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from layers import LAYERS, function_asset
from tools.aws.cdk import ROOT
from tools.local.cloud.local_cloud import LocalCloud

_INTERVAL_S = 0.3
"""Each check reads the state of all files. A request checks at once, and does not wait for the interval."""

_SETTLING_S = 0.02
"""How long changed files must stay the same before a deploy: an editor may write in several steps."""

_UPDATE_TIMEOUT_S = 20.0
"""How long a request waits at most for code that is being deployed."""

State = dict[Path, tuple[int, int]]
"""Each file's time and size."""

Report = Callable[[str], None]


class CodeWatcher:
    """Deploys every change of the source; requests wait for the code that was last saved."""

    def __init__(self, cloud: LocalCloud, report: Report, source: Path | None = None) -> None:
        """From now on requests wait; `run` deploys.

        Args:
            cloud: the local cloud that runs the code.
            report: called with each line for the user.
            source: the folder to watch; by default that of the deployed agent.
        """
        self._cloud, self._report = cloud, report
        self._source = source or ROOT / cloud.plan.source
        # What was saved while the stack was deployed may not be in it.
        self._deployed = {path: state for path, state in self._state().items() if state[0] < cloud.began_ns}
        self._changed = threading.Condition()
        self._check_now = threading.Event()
        self._stopped = False
        self._built = _state(_built_files())
        cloud.url_server.before_request = self.wait_until_current

    def wait_until_current(self) -> None:
        """Wait until the code that was last saved is deployed, or was rejected."""
        with self._changed:
            self._changed.wait_for(self._is_current, _UPDATE_TIMEOUT_S)

    def _is_current(self) -> bool:
        if self._deployed == self._state():
            return True
        self._check_now.set()
        return False

    def run(self) -> None:
        """Watch until interrupted or stopped.

        Code that does not start is reported, and the last version is kept.
        """
        seen = self._deployed
        while not self._stopped:
            if seen == self._deployed:
                self._check_now.wait(_INTERVAL_S)
            else:
                time.sleep(_SETTLING_S)
            self._check_now.clear()
            now = self._state()
            if now == seen and now != self._deployed:  # it has changed, and is complete
                self._report(self._redeploy(_names(self._deployed, now)))
                with self._changed:
                    self._deployed = now
                    self._changed.notify_all()
            seen = now
            self._report_built()

    def stop(self) -> None:
        """End `run`."""
        self._stopped = True
        self._check_now.set()

    def _redeploy(self, changed: str) -> str:
        try:
            running = self._cloud.pool.function.code
            error = self._cloud.update(function_asset.assembled(self._source, running))
        except (function_asset.AssetError, OSError, BotoCoreError, ClientError) as problem:
            error = f"{type(problem).__name__}: {problem}"
        if error:
            return f"{changed} changed, but does not start; the previous version keeps serving: {error}"
        return f"{changed} changed: deployed"

    def _report_built(self) -> None:
        now = _state(_built_files())
        if now != self._built:
            names = _names(self._built, now)
            self._built = now
            self._report(f"{names} changed: restart `hatch run local` to deploy the stack and layers again")

    def _state(self) -> State:
        return _state(function_asset.source_files(self._source).values())


def _built_files() -> list[Path]:
    return [*sorted((ROOT / "infra").glob("*.py")), ROOT / "cdk.json", *(layer.zip for layer in LAYERS)]


def _state(paths: Iterable[Path]) -> State:
    found = {}
    for path in paths:
        try:
            stat = path.stat()
        except FileNotFoundError:  # removed since it was listed
            continue
        found[path] = (stat.st_mtime_ns, stat.st_size)
    return found


def _names(before: State, after: State) -> str:
    changed = (path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    names = sorted(path.name for path in changed)
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
