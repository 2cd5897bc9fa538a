"""One run: the agent answers a query before the deadline."""

import datetime as dt
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from strands import Agent
from strands.agent import AgentResult
from strands.hooks import MessageAddedEvent
from strands.types.exceptions import MaxTokensReachedException, StructuredOutputException
from strands.types.interrupt import InterruptResponseContent

from traced_agent import multi_agent, run_agents, structured_output
from traced_agent.errors import ApiError
from traced_agent.run_agents import RunAgents
from traced_agent.tracing.tracer import UNTRACED
from traced_agent.worker_threads import DeadlineExceeded, run_with_timeout

Prompt = str | list[InterruptResponseContent]
"""A query, or the responses to interrupts as Strands takes them."""


@dataclass
class Run:
    """The state of one run; every answer and every error contains part of it."""

    deadline_s: float
    """The seconds it has, from its start."""
    id: str = field(default_factory=lambda: os.urandom(4).hex())
    timestamp: str = field(default_factory=lambda: dt.datetime.now(dt.UTC).isoformat())
    started: float = field(default_factory=time.monotonic)
    links: Mapping[str, str | None] = field(default_factory=lambda: UNTRACED)
    agents: RunAgents | None = None
    """The agents of the run, once one is built."""
    xray_trace_id: str | None = None

    @property
    def usage(self) -> Mapping[str, int]:
        """The tokens used until now, also when the run has failed."""
        return self.agents.usage if self.agents else {}

    @property
    def elapsed_s(self) -> float:
        """Seconds since its start."""
        return time.monotonic() - self.started

    @property
    def remaining_s(self) -> float:
        """Seconds until its deadline."""
        return self.deadline_s - self.elapsed_s

    @property
    def duration_ms(self) -> int:
        """Milliseconds since its start, as answers report it."""
        return round(self.elapsed_s * 1000)


@dataclass(frozen=True)
class Answer:
    """What the agent answered. Optional fields are omitted from the response when they are None."""

    response: str
    stop_reason: str
    usage: Mapping[str, int]
    data: Mapping[str, Any] | None = None
    """The object of an agent with an output model."""
    citations: Sequence[Mapping[str, Any]] | None = None
    """What the run found in the knowledge base, if one is configured."""
    interrupts: Sequence[Mapping[str, Any]] | None = None
    """With the stop reason `interrupt`: the id, name and reason of each interrupt."""


run_agents.observe_new_agents()


def run_agent(
    agent: Agent,
    prompt: Prompt,
    *,
    agents: RunAgents,
    seconds: float,
    abandon: Callable[[], None],
) -> Answer:
    """Run the agent, and wait for its answer at most `seconds`.

    After that, `abandon` is called and the agents are cancelled: their thread may end its spans at once.

    Raises:
        DeadlineExceeded: it did not finish; its thread is abandoned, and stops when it can.
        ApiError: it ended without an answer.
    """
    last_text = _LastText(agent)
    try:
        result = run_with_timeout(seconds, lambda: _invoke(agent, prompt, agents))
    except DeadlineExceeded:
        abandon()
        agents.cancel.set()
        raise
    if result.stop_reason == "interrupt":
        return Answer(last_text.text, "interrupt", agents.usage, interrupts=_interrupts(result))
    response = str(result).strip()
    if not response and result.stop_reason == "end_turn":
        response = last_text.text
        if not response:
            raise ApiError("model_error", "The model ended without an answer: send the query again")
    stop_reason = agents.stopped_by or result.stop_reason
    return Answer(
        response, stop_reason, agents.usage, structured_output.data(agent, result), agents.citations
    )


def _invoke(agent: Agent, prompt: Prompt, agents: RunAgents) -> AgentResult:
    try:
        with agents.observing():
            return multi_agent.invoke(agent, prompt, agents)
    except StructuredOutputException:
        if model := structured_output.output_model(agent):
            raise structured_output.not_filled(agent, model) from None
        raise
    except MaxTokensReachedException:
        # The text until then is worth having; the stop reason says that it was cut off.
        return AgentResult("max_tokens", agent.messages[-1], agent.event_loop_metrics, state={})


def _interrupts(result: AgentResult) -> list[dict[str, Any]]:
    return [
        {"id": interrupt.id, "name": interrupt.name, "reason": interrupt.reason}
        for interrupt in result.interrupts or ()
    ]


class _LastText:
    """The text that the model last sent in this run, also next to a tool call."""

    def __init__(self, agent: object) -> None:
        self.text = ""
        if isinstance(agent, Agent):
            agent.add_hook(self._message_added, MessageAddedEvent)

    def _message_added(self, event: MessageAddedEvent) -> None:
        if event.message["role"] == "assistant":
            texts = [block["text"] for block in event.message["content"] if "text" in block]
            self.text = "\n".join(texts).strip() or self.text
