"""The built-in evaluators, and how an evaluation file adds others.

An evaluator is a function that Langfuse's SDK calls with `input`, `output`, `expected_output` and `metadata`
by name. It returns one `Evaluation` or a list of them.
"""

import importlib.util
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from langfuse import Evaluation

from tools.command import Failure

Evaluator = Callable[..., Any]


def expected(
    *, output: Any, expected_output: Any, metadata: dict[str, Any] | None = None, **_: Any
) -> list[Evaluation]:
    """Compare the answer with the expected one.

    `metadata.evaluator` chooses how: `contains` (default), `exact` or `json`.
    An item without `expected_output` gets no score from this evaluator.
    """
    if expected_output is None:
        return []
    method = (metadata or {}).get("evaluator", "contains")
    if method not in METHODS:
        raise ValueError(f"metadata.evaluator must be {' or '.join(METHODS)}, not {method!r}")
    return [Evaluation(name=method, value=float(METHODS[method](output, expected_output)))]


def _contains(output: Any, expected_output: Any) -> bool:
    """Whether the answer contains the expected text, or each of a list; ignores case and spacing."""
    texts = expected_output if isinstance(expected_output, list) else [expected_output]
    return all(_normal(text) in _normal(output) for text in texts)


def _exact(output: Any, expected_output: Any) -> bool:
    return _normal(output) == _normal(expected_output)


def _json(output: Any, expected_output: Any) -> bool:
    """Whether the answer is JSON that has every expected field with the expected value."""
    try:
        answer = json.loads(output) if isinstance(output, str) else output
        wanted = json.loads(expected_output) if isinstance(expected_output, str) else expected_output
    except ValueError:
        return False
    return _matches(answer, wanted)


def _matches(answer: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(answer, dict) and all(
            name in answer and _matches(answer[name], value) for name, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(answer, list) and len(answer) == len(wanted) and all(map(_matches, answer, wanted))
    return type(answer) is type(wanted) and bool(answer == wanted)


def _normal(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return re.sub(r"\s+", " ", text).strip().casefold()


METHODS: dict[str, Callable[[Any, Any], bool]] = {"contains": _contains, "exact": _exact, "json": _json}
"""The comparisons of `expected`, by name."""


def load_evaluators(file: Path) -> Sequence[Evaluator]:
    """The list `EVALUATORS` of a Python file.

    Raises:
        Failure: the file does not exist, cannot be imported, or has no such list.
    """
    if not file.is_file():
        raise Failure(f"{file} does not exist: give --evaluators a Python file with a list EVALUATORS")
    spec = importlib.util.spec_from_file_location("evaluators", file)
    if spec is None or spec.loader is None:
        raise Failure(f"{file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # noqa: BLE001 - the user's code
        raise Failure(f"{file} cannot be imported: {type(error).__name__}: {error}") from None
    evaluators = getattr(module, "EVALUATORS", None)
    if not isinstance(evaluators, list | tuple) or not all(map(callable, evaluators)):
        raise Failure(f"{file} has no list EVALUATORS of functions")
    return list(evaluators)
