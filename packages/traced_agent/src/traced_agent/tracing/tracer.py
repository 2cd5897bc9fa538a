"""Traces every run: its query, the steps of the agent, and its answer.

Call `start.start_tracing` once, `observe` for each run, and `export` after the response.
"""

import json
import logging
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, Tracer, format_trace_id
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from traced_agent.tracing.observation import UNTRACED, Observation, to_json
from traced_agent.tracing.spans import RunSpans
from traced_agent.version import __version__

if TYPE_CHECKING:
    from traced_agent.settings import Settings
    from traced_agent.tracing.export_queue import ExportQueue
    from traced_agent.tracing.prompts import PromptSource

logger = logging.getLogger(__name__)

AgentT = TypeVar("AgentT")

__all__ = ["RUN_TAG", "UNTRACED", "Observation", "RunTracer"]

RUN_TAG = "run-"
"""What the tag of a run begins with. The API rejects such tags of callers."""


class RunTracer:
    """Records runs and exports them; one per process. By default it does neither."""

    def __init__(
        self,
        settings: "Settings | None" = None,
        tracer: Tracer | None = None,
        export_queue: "Callable[[], ExportQueue] | None" = None,
    ) -> None:
        self._settings = settings
        self._tracer = tracer or trace.NoOpTracer()
        self._export_queue = export_queue
        self._first = True
        self.scores: deque[Mapping[str, Any]] = deque()
        """Scores that wait for the next export."""
        self.prompts: PromptSource | None = None
        """Where the agent's system prompt comes from, if one is configured."""
        self.project_id = settings.langfuse_project_id if settings else ""
        """Langfuse's id of the project; learned at the first export if it is not configured."""
        self.model_config: Mapping[str, Any] = {}
        """The configuration of the agent's model, see `describe_model`."""

    @property
    def enabled(self) -> bool:
        """Whether runs are traced."""
        return self._export_queue is not None

    @contextmanager
    def observe(  # noqa: PLR0913 - the labels of a trace
        self,
        *,
        name: str,
        run_id: str,
        query: Mapping[str, Any],
        session_id: str | None = None,
        user_id: str | None = None,
        tags: Sequence[str] = (),
        metadata: Mapping[str, str] | None = None,
        traceparent: str | None = None,
    ) -> Iterator[Observation]:
        """Trace what happens inside as one run, under a root observation with `query` as its input.

        Every span started inside, in this thread or in one with its context copied, carries the session, the
        user, the tags (`run-<run_id>` and `strands-agents` come first), the metadata and our version: the
        agent needs no `trace_attributes`. An exception that passes through marks the run as failed. When the
        block ends, spans that are still open (of an abandoned thread) enter the trace unfinished.
        `traceparent`, W3C's header, becomes a link, and its trace id the metadata `caller_trace_id`.
        """
        self._prepare()
        links = _links_to_caller(traceparent)
        prompt = self.prompts.current if self.prompts else None
        caller = {"caller_trace_id": format_trace_id(links[0].context.trace_id)} if links else {}
        attributes = {
            "session.id": session_id,
            "user.id": user_id,
            "langfuse.trace.name": name,
            "langfuse.trace.tags": (f"{RUN_TAG}{run_id}", "strands-agents", *tags),
            "langfuse.version": __version__,
            **(prompt.attributes if prompt else {}),
            **{
                f"langfuse.trace.metadata.{key}": self._metadata_value(value)
                for key, value in {**(metadata or {}), **caller}.items()
            },
        }
        run = RunSpans(_without_none(attributes))
        root = self._tracer.start_span(name, run.attach_to(Context()), links=links)
        root.set_attributes(self._root_attributes(query))
        observation = Observation(self._trace_fields(run_id, root), root, run)
        with trace.use_span(root, end_on_exit=True, set_status_on_exception=False):
            try:
                yield observation
            except BaseException as error:
                if not observation.failed:
                    observation.fail(type(error).__name__, str(error))
                raise

    def export(self, budget_s: float) -> None:
        """Send the finished runs, within `budget_s` seconds whatever the backend does.

        Never raises. Runs that could not be sent are kept and sent with the next export.
        """
        if self._export_queue is not None:
            until = time.monotonic() + budget_s
            self._export_queue().export(budget_s)
            if self.prompts is not None:
                self.prompts.refresh(until - time.monotonic())

    @property
    def accepts_scores(self) -> bool:
        """Whether there is a Langfuse server that scores can be sent to."""
        return self.enabled and self._settings is not None and not self._settings.otlp_endpoint

    def add_score(self, name: str, trace_id: str, value: float, comment: str | None) -> None:
        """Queue a score, which is sent after the response; a later one for the same trace replaces it."""
        settings = self._settings
        content = settings is not None and settings.trace_content == "full"
        score = {
            "id": f"{trace_id}-{name}",
            "traceId": trace_id,
            "name": name,
            "value": value,
            "dataType": "NUMERIC",
            "comment": comment if content else None,
            "environment": (settings.langfuse_environment if settings else "") or None,
        }
        self.scores.append(_without_none(score))

    def describe_model(self, model: Any) -> None:
        """Record the parameters of the agent's model (`model.config`) on its calls in later traces."""
        config = getattr(model, "config", None)
        self.model_config = config if isinstance(config, Mapping) else {}

    def apply_prompt(self, agent: AgentT) -> AgentT:
        """Give the agent of a run the system prompt from Langfuse, if there is one."""
        prompt = self.prompts.current if self.prompts else None
        if prompt is not None and hasattr(agent, "system_prompt"):
            agent.system_prompt = prompt.text
        return agent

    def set_project_id(self, project_id: str) -> None:
        """Use this project id in the addresses of later traces."""
        self.project_id = project_id

    def _prepare(self) -> None:
        """If the user's code has imported Langfuse's SDK, create its client for `get_client()`.

        Only before the first run: after that our own export may be importing it.
        """
        first, self._first = self._first, False
        if first and self._export_queue is not None and "langfuse" in sys.modules:
            self._export_queue().prepare()

    def _trace_fields(self, run_id: str, root: Span) -> Mapping[str, str | None]:
        """The four trace fields of the response; all None without tracing."""
        context = root.get_span_context()
        if self._settings is None or not context.is_valid:
            return UNTRACED
        trace_id = format_trace_id(context.trace_id)
        host = None if self._settings.otlp_endpoint else self._settings.langfuse_host
        # A server that stores events only opens the second form only; `/trace/` needs no project id.
        path = f"project/{self.project_id}/traces" if self.project_id else "trace"
        url = f"{host}/{path}/{trace_id}" if host else None
        return dict(zip(UNTRACED, (host, f"{RUN_TAG}{run_id}", trace_id, url), strict=True))

    def _root_attributes(self, query: Mapping[str, Any]) -> dict[str, Any]:
        attributes: dict[str, Any] = {
            "langfuse.observation.type": "span",
            "langfuse.observation.input": to_json(query),
            "langfuse.internal.is_app_root": True,
        }
        if self._settings is not None:
            attributes["langfuse.environment"] = self._settings.langfuse_environment or None
            attributes["langfuse.release"] = self._settings.langfuse_release or None
        return _without_none(attributes)

    def _metadata_value(self, value: str) -> str:
        """Encode a value of the metadata: Langfuse reads JSON in spans of its own SDK."""
        plain = self._settings is None or self._settings.otlp_endpoint
        return value if plain else json.dumps(value, ensure_ascii=False)


def _links_to_caller(traceparent: str | None) -> list[Link]:
    """The caller's span as a link: with a remote parent, Langfuse shows no input and output of the trace."""
    if not traceparent:
        return []
    remote = TraceContextTextMapPropagator().extract({"traceparent": traceparent}, Context())
    context = trace.get_current_span(remote).get_span_context()
    return [Link(context)] if context.is_valid else []


def _without_none(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in attributes.items() if value is not None}
