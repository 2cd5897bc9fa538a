"""Every agent of a run, nested agents too: their token usage, limits, cancellation and events.

In Strands, the agents that tools, graphs and swarms call have metrics, limits and callback handlers of their
own. Here every agent gets hooks when it is created. The hooks find the run in the context, which Strands
copies to its threads and tasks.
"""

import contextvars
import functools
import inspect
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from strands import Agent
from strands.hooks import AfterModelCallEvent, BeforeModelCallEvent, MessageAddedEvent

from traced_agent.model_stream import check_responses
from traced_agent.text import replace_in

OnEvent = Callable[..., None]
"""Receives the events of an agent, as Strands' callback handlers do; `nested_agent` names a nested one."""

_LIMIT_TEXT = "(Stopped here by a limit.)"
_CANCEL_TEXT = "(Stopped here: the run has no time left.)"
_ALWAYS = ("inputTokens", "outputTokens", "totalTokens")
_WITH_CACHING = ("cacheReadInputTokens", "cacheWriteInputTokens")

_current: "contextvars.ContextVar[RunAgents | None]" = contextvars.ContextVar("run_agents", default=None)


@dataclass
class RunAgents:
    """What all agents of one run have used, and what they may use together."""

    max_turns: int
    max_output_tokens: int
    on_event: OnEvent | None = None
    cancel: threading.Event = field(default_factory=threading.Event)
    usage: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_ALWAYS, 0))
    turns: int = 0
    stopped_by: str | None = None
    """The stop reason of the limit that was reached, as Strands names it."""
    citations: list[dict[str, Any]] | None = None
    """What the run found in the knowledge base: `text`, `source` and `score`, each passage once."""
    fallback_model_id: str | None = None
    """The model that the run switched to, if it did."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def observing(self) -> Iterator[None]:
        """Observe every agent that is called in this context."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    def cite(self, citations: Iterable[dict[str, Any]]) -> None:
        """Add passages to the run's citations."""
        with self._lock:
            known = self.citations or []
            self.citations = known + [one for one in citations if one not in known]

    def before_model_call(self, event: BeforeModelCallEvent) -> None:
        """End the agent in place of the call if the run has no time or budget left."""
        if self.cancel.is_set():
            event.cancel = _CANCEL_TEXT
        elif self.turns >= self.max_turns:
            event.cancel, self.stopped_by = _LIMIT_TEXT, "limit_turns"
        elif self.usage["outputTokens"] >= self.max_output_tokens:
            event.cancel, self.stopped_by = _LIMIT_TEXT, "limit_output_tokens"

    def after_model_call(self, event: AfterModelCallEvent) -> None:
        """Count the tokens of a call that the model answered."""
        message: Any = event.stop_response.message if event.stop_response else {}
        used = message.get("metadata", {}).get("usage")
        if used is None:
            return
        with self._lock:
            self.turns += 1
            for name in (*_ALWAYS, *_WITH_CACHING):
                if name in _ALWAYS or used.get(name):
                    self.usage[name] = self.usage.get(name, 0) + used.get(name, 0)


def current() -> RunAgents | None:
    """The run of this context; None outside a run."""
    return _current.get()


def observe_new_agents() -> None:
    """Add the hooks to each agent that is created from now on, and have nested agents print nothing.

    `Agent.__init__` is wrapped, because Strands has no hooks for all agents. An agent without a callback
    handler would print its text to standard output; instead, its events go to the run.
    """
    original = Agent.__init__
    if getattr(original, "adds_run_hooks", False):
        return
    position = list(inspect.signature(original).parameters).index("callback_handler")

    @functools.wraps(original)
    def init(self: Agent, *args: Any, **kwargs: Any) -> None:
        if len(args) < position:  # `position` counts `self`, which is not in `args`
            kwargs.setdefault("callback_handler", functools.partial(_nested_event, kwargs.get("name")))
        original(self, *args, **kwargs)
        check_responses(self.model, _cancel_signal)
        self.add_hook(_message_added, MessageAddedEvent)
        self.add_hook(_before_model_call, BeforeModelCallEvent)
        self.add_hook(_after_model_call, AfterModelCallEvent)

    init.adds_run_hooks = True  # type: ignore[attr-defined]
    Agent.__init__ = init  # type: ignore[method-assign]


def _cancel_signal() -> threading.Event | None:
    run = current()
    return run.cancel if run else None


def _message_added(event: MessageAddedEvent) -> None:
    replace_in(event.message)  # Bedrock and UTF-8 take no half of a surrogate pair


def _before_model_call(event: BeforeModelCallEvent) -> None:
    if run := current():
        run.before_model_call(event)


def _after_model_call(event: AfterModelCallEvent) -> None:
    if run := current():
        run.after_model_call(event)


def _nested_event(name: str | None, **event: Any) -> None:
    run = current()
    if run and run.on_event and ("data" in event or "message" in event):
        run.on_event(nested_agent=name or "agent", **event)
