"""Imports the function, and prints what its libraries compile meanwhile, as JSON.

Takes the folder of the function's code, an asset without a table of compiled code, the folder of the layers'
modules, and the module to import.
"""

import importlib
import json
import re
import sys
from types import CodeType
from typing import Any


def main(code: str, layers: str, entry: str) -> None:
    """Import the module, and print the inputs."""
    sys.path[:0] = [code, layers]
    sys.dont_write_bytecode = True
    from traced_agent.cold_start import precompiled  # noqa: PLC0415 - from the asset

    inputs: dict[str, set[Any]] = {"exec": set(), "eval": set(), "patterns": set()}

    class Recorder(precompiled.Table):
        """A table without results that notes what it is asked for."""

        def code(self, kind: str, source: str) -> CodeType:
            inputs[kind].add(source)
            return super().code(kind, source)

        def pattern(self, pattern: str | bytes, flags: int) -> re.Pattern[Any]:
            if not flags & (re.LOCALE | re.DEBUG):  # their results depend on the process
                text = pattern if isinstance(pattern, str) else pattern.decode("latin-1")
                inputs["patterns"].add((text, int(flags), type(pattern).__name__))
            return super().pattern(pattern, flags)

    precompiled.install(Recorder({}, {}))
    importlib.import_module(entry)

    print(json.dumps({kind: sorted(found) for kind, found in inputs.items()}, indent=1))
