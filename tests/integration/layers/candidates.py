"""Reads candidates for a deployment and what a check reports of them."""

import dataclasses

from tools.build_layers.checks.run import CHECKS, PER_LAYER

COMPILED = "backoff/__pycache__/_jitter.cpython-313.pyc"


def reported(check, candidate):
    """What a check reports of a candidate; of the changed layer only, if it checks each by itself."""
    changed = [layer for layer in candidate.layers if candidate.store in layer.path.parents]
    if check in PER_LAYER and changed:
        candidate = dataclasses.replace(candidate, layers=changed)
    return list(CHECKS[check](candidate))


def find(real, suffix):
    """The layer and the path of the first file that ends so."""
    return next((layer.name, path) for layer in real.layers for path in layer.files if path.endswith(suffix))


def contents(real, path):
    return next(layer.files[path] for layer in real.layers if path in layer.files)


def metadata_of(real, name):
    return next(
        f"{found.folder}/METADATA"
        for layer in real.layers
        for found in layer.distributions
        if found.name == name
    )


# layout
