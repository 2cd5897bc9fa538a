"""Completes hatch's default environment: the layers' requirements, and a message for a misspelled command.

hatch loads this script by itself, with its own Python: it imports nothing of the repository. Source:
https://hatch.pypa.io/latest/plugins/environment-collector/reference/
"""

import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hatch.env.collectors.plugin.interface import EnvironmentCollectorInterface
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name


class DefaultEnvironmentCollector(EnvironmentCollectorInterface):
    """Extends the environment `default`, and with it those that have it as their template."""

    def finalize_config(self, config: dict[str, dict[str, Any]]) -> None:
        """Add the layers' requirements to the dependencies, in the versions of the locks.

        So adding a package to a layer is one edit.
        """
        folder = Path(self.root, "layers")
        found = [line for path in sorted(folder.glob("*/requirements.in")) for line in dependencies(path)]
        default = config["default"]
        default["dependencies"] = [*default.get("dependencies", ()), *found]

    def finalize_environments(self, config: dict[str, dict[str, Any]]) -> None:
        """Make an unknown name in `hatch run NAME` a script; the shell would only print `not found`."""
        scripts = config["default"].setdefault("scripts", {})
        name = requested_command(sys.argv[1:])
        if name and name not in scripts and not shutil.which(name):
            scripts[name] = f"python -m tools.unknown_command {name} {{args}}"


def requested_command(arguments: Sequence[str]) -> str | None:
    """The name in `hatch run NAME …`; None if there is none, or if it is not a plain word."""
    if "run" not in arguments:
        return None
    after = arguments[arguments.index("run") + 1 :]
    name = next((argument for argument in after if not argument.startswith(("+", "-"))), "")
    return name if re.fullmatch(r"[A-Za-z][\w-]*", name) else None


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
