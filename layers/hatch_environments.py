"""Adds the layers' requirements to hatch's default environment, in the versions of the locks.

So adding a package to a layer is one edit, and the environments follow the locks. hatch loads this script by
itself, with its own Python: it imports nothing of the repository.
"""

import re
from pathlib import Path
from typing import Any

from hatch.env.collectors.plugin.interface import EnvironmentCollectorInterface
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name


class LayersEnvironmentCollector(EnvironmentCollectorInterface):
    """Extends the environment `default`, and with it those that have it as their template."""

    def finalize_config(self, config: dict[str, dict[str, Any]]) -> None:
        """Add the requirements to the environment's dependencies."""
        folder = Path(self.root, "layers")
        found = [line for path in sorted(folder.glob("*/requirements.in")) for line in dependencies(path)]
        default = config["default"]
        default["dependencies"] = [*default.get("dependencies", ()), *found]


def dependencies(requirements: Path) -> list[str]:
    """The requirements of a layer, pinned to the versions of its lock; without those not locked yet."""
    lock = requirements.with_suffix(".txt")
    text = lock.read_text("utf-8") if lock.exists() else ""
    pins = re.findall(r"(?m)^([\w.-]+)==([^\s;]+)", text)
    versions = {canonicalize_name(name): version for name, version in pins}
    pinned = []
    for line in requirements.read_text("utf-8").splitlines():
        try:
            entry = Requirement(re.sub(r"(^|\s)#.*", "", line).strip())
        except InvalidRequirement:
            continue  # an empty line, or a mistake that `lock-layers` explains
        if version := versions.get(canonicalize_name(entry.name)):
            extras = f"[{','.join(sorted(entry.extras))}]" if entry.extras else ""
            marker = f"; {entry.marker}" if entry.marker else ""
            pinned.append(f"{entry.name}{extras}=={version}{marker}")
    return pinned
