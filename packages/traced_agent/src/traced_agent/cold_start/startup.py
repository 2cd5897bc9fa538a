"""Prepares the interpreter for a short init: to be imported before everything heavy."""

import gc

from traced_agent.cold_start import lazy_packages

gc.disable()  # Init makes few garbage objects: searching for them would be a tenth of the cold start.
lazy_packages.install("strands", first="strands.agent")


def done() -> None:
    """Init is over: exclude its objects from garbage collection, and collect those of requests."""
    gc.freeze()
    gc.enable()
