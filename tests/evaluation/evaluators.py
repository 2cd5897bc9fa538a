"""The evaluators of `hatch run evaluate`: add your own functions to EVALUATORS.

An evaluator gets `input`, `output`, `expected_output` and `metadata` by name, and returns an `Evaluation`. To
use a model as a judge, call it in an evaluator and turn its result into a value from 0 to 1.
"""

from langfuse import Evaluation

from tools.evaluate.evaluators import expected


def answered(*, output, **_):
    """Whether there is an answer at all."""
    return Evaluation(name="answered", value=float(bool(output)))


EVALUATORS = [expected, answered]
