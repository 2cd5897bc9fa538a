"""Interleaved sampling: A B A B, so that noise on the machine affects all variants alike."""

import random
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from rich.progress import track

from tools.command import ERR

Sample = TypeVar("Sample")


def interleave(
    what: str, variants: Mapping[str, Callable[[], Sample]], rounds: int, *, required: Iterable[str] = ()
) -> tuple[dict[str, list[Sample]], dict[str, str]]:
    """Sample every variant once a round, in an order shuffled by the round.

    A variant that fails is left out from then on and does not stop the others.

    Args:
        what: the progress bar's text.
        variants: takes one sample of each variant.
        rounds: samples of each variant.
        required: the variants without which nothing can be compared.

    Returns:
        The samples by variant, and the reasons of those that failed.

    Raises:
        RuntimeError: a required variant failed; the message has its reason.
    """
    samples: dict[str, list[Sample]] = {name: [] for name in variants}
    failed: dict[str, str] = {}
    for number in track(range(rounds), what, console=ERR, transient=True):
        names = list(variants)
        random.Random(number).shuffle(names)
        for name in names:
            if name not in failed:
                try:
                    samples[name].append(variants[name]())
                except Exception as error:
                    failed[name] = f"{type(error).__name__}: {error}".splitlines()[0][:200]
                    if name in required:
                        raise RuntimeError(f"{name!r} failed: {failed[name]}") from error
    return {name: found for name, found in samples.items() if name not in failed}, failed
