"""Runs the items against a URL with limited concurrency, and scores the answers."""

import asyncio
import json
import statistics
import threading
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import httpx
from langfuse import Evaluation, Langfuse

from tools.command import Failure
from tools.evaluate.evaluators import Evaluator
from tools.evaluate.items import request_body

_current: ContextVar["Result"] = ContextVar("result")
"""The result of the item that the SDK evaluates; it runs task and evaluators of an item in one context."""

Ask = Callable[[dict[str, Any]], dict[str, Any]]
"""Sends the body of a request, and returns the answer's JSON."""


@dataclass
class Result:
    """One item's answer and scores."""

    input: Any
    output: Any = None
    error: str | None = None
    trace_id: str | None = None
    trace_url: str | None = None
    scores: dict[str, float] = field(default_factory=dict)

    @property
    def score(self) -> float:
        """The mean of the scores, from 0 to 1; a failed run is 0, an answer that is not scored is 1."""
        if self.error is not None:
            return 0.0
        return statistics.fmean(self.scores.values()) if self.scores else 1.0

    def as_dict(self) -> dict[str, Any]:
        """The result for `--json`."""
        return {**vars(self), "score": self.score}


@dataclass
class Experiment:
    """A named run over a data set; `langfuse` is a disabled client if nothing is recorded."""

    name: str
    ask: Ask
    evaluators: Sequence[Evaluator]
    langfuse: Langfuse
    concurrency: int = 4
    on_item: Callable[[], None] = lambda: None
    results: list[Result] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, items: Sequence[Any]) -> list[Result]:
        """Ask every item, and return the results in the order of the answers.

        In Langfuse, the task of each item has the id and the address of the run's own trace. That trace has
        the experiment's name in its metadata, and the same scores.
        """
        recorded = self.langfuse.run_experiment(
            name=self.name,
            data=list(items),
            task=self._task,
            evaluators=[self._scored(evaluator) for evaluator in self.evaluators],
            max_concurrency=self.concurrency,
        )
        self.langfuse.flush()
        missing = len(items) - len(recorded.item_results)
        if missing:
            raise Failure(f"{missing} items were not evaluated: see the messages above")
        return self.results

    async def _task(self, *, item: Any, **_: Any) -> dict[str, Any]:
        given = item["input"] if isinstance(item, dict) else item.input
        result = await asyncio.to_thread(self._answer, given)
        with self._lock:
            self.results.append(result)
        _current.set(result)
        self.on_item()
        links = {"trace_id": result.trace_id, "trace_url": result.trace_url}
        self.langfuse.update_current_span(metadata=links)
        return {"response": result.output, "error": result.error, **links}

    def _answer(self, given: Any) -> Result:
        body = request_body(given)
        metadata = body["metadata"] if isinstance(body.get("metadata"), dict) else {}
        body["metadata"] = {**metadata, "experiment": self.name[:1000]}
        result = Result(given)
        try:
            answer = self.ask(body)
        except (httpx.HTTPError, Failure) as error:
            result.error = str(error) or type(error).__name__
            return result
        result.trace_id, result.trace_url = answer.get("trace_id"), answer.get("trace_url")
        if answer.get("success"):
            result.output = answer.get("data", answer.get("response"))
        else:
            result.error = "{code}: {message}".format(**answer.get("error", {"code": "?", "message": "?"}))
        return result

    def _scored(self, evaluator: Evaluator) -> Evaluator:
        """The evaluator, applied to the answer itself; it also notes its scores in the result."""
        name = getattr(evaluator, "__name__", "evaluator")

        def evaluate(*, output: Any, **about: Any) -> Any:  # noqa: ARG001 - the SDK's name for it
            result = _current.get()
            if result.error is not None:
                return []
            try:
                evaluations = evaluator(output=result.output, **about)
            except Exception as error:
                # The SDK only logs it; without the score the item must not pass.
                result.error = f"evaluator {name} failed: {type(error).__name__}: {error}"
                raise
            many = evaluations if isinstance(evaluations, list) else [evaluations]
            self._score_trace(result.trace_id, many)
            with self._lock:
                for evaluation in many:
                    if isinstance(evaluation.value, bool | int | float):
                        result.scores[evaluation.name] = float(evaluation.value)
            return many

        evaluate.__name__ = name
        return evaluate

    def _score_trace(self, trace_id: str | None, evaluations: Sequence[Evaluation]) -> None:
        """Give the run's own trace the scores too; the SDK gives them to the trace of the item."""
        for evaluation in evaluations if trace_id else ():
            value: Any = evaluation.value  # a number or a text, as `data_type` says
            data_type: Any = evaluation.data_type
            self.langfuse.create_score(
                score_id=f"{trace_id}-{evaluation.name}",
                trace_id=trace_id,
                name=evaluation.name,
                value=value,
                data_type=data_type,
                comment=evaluation.comment,
            )


def mean_score(results: Sequence[Result]) -> float:
    """The mean over all items, which the gate compares with `--min`."""
    return statistics.fmean(result.score for result in results)


def report(results: Sequence[Result]) -> str:
    """The results as JSON."""
    return json.dumps(
        {"score": mean_score(results), "items": [result.as_dict() for result in results]}, ensure_ascii=False
    )
