"""Makes init cheaper: to be imported before everything heavy."""

import gc

from traced_agent import lazy_packages

gc.disable()  # What init makes stays: looking for garbage in it would be a tenth of the cold start.
lazy_packages.install("strands", first="strands.agent")


def done() -> None:
    """Init is over: what it made is never looked at again, what requests make is collected."""
    gc.freeze()
    gc.enable()
