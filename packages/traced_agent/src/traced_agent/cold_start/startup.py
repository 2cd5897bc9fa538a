"""Prepares the interpreter for a short init: to be imported before everything heavy."""

import gc
import os

from traced_agent.cold_start import bytecode_finder, deferred_modules, lazy_packages, precompiled

gc.disable()  # Init makes few garbage objects: searching for them would be a tenth of the cold start.
# Pydantic searches every distribution for plugins. A user who has one sets this variable to the empty string.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
compile_as_always = precompiled.start()
find = bytecode_finder.install().find
lazy_packages.install("strands", first="strands.agent", find=find)
deferred_modules.install(find)


def done() -> None:
    """Init is over: exclude its objects from garbage collection, and collect those of requests."""
    compile_as_always()
    gc.freeze()
    gc.enable()
