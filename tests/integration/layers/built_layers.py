"""Reads and removes built layers."""

from tools.build_layers.checks.candidate import Candidate
from tools.build_layers.checks.layer_contents import read_layer
from tools.build_layers.checks.run import CHECKS


def bytes_of(stack):
    return [layer.zip.read_bytes() for layer in stack]


def forget(stack):
    """Leave the layers as if they had never been built."""
    for layer in stack:
        layer.zip.unlink()
        layer.manifest.unlink()


def violations(stack, *checks):
    candidate = Candidate([read_layer(layer) for layer in stack], handler=None)
    return [line for name in checks for line in CHECKS[name](candidate)]
