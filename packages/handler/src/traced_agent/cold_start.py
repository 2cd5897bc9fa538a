"""Makes init cheaper: to be imported before everything heavy."""

import gc

gc.disable()  # What init makes stays: looking for garbage in it would be a tenth of the cold start.


def done() -> None:
    """Init is over: what it made is never looked at again, what requests make is collected."""
    gc.freeze()
    gc.enable()
