"""One run: a query, taken to its answer before the deadline."""

import asyncio
import datetime as dt
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from strands import Agent
from strands.agent import AgentResult
from strands.hooks import MessageAddedEvent
from strands.types.exceptions import MaxTokensReachedException, StructuredOutputException

from traced_agent import multi_agent, run_agents, structured_output
from traced_agent.errors import ApiError
from traced_agent.run_agents import RunAgents
from traced_agent.tracing.tracer import UNTRACED
from traced_agent.worker_threads import DeadlineExceeded, run_with_timeout


@dataclass
class Run:
    """What is known of a run as it goes; every answer and every error tells it."""

    deadline_s: float
    """The seconds it has, from its start."""
    id: str = field(default_factory=lambda: os.urandom(4).hex())
    timestamp: str = field(default_factory=lambda: dt.datetime.now(dt.UTC).isoformat())
    started: float = field(default_factory=time.monotonic)
    links: Mapping[str, str | None] = field(default_factory=lambda: UNTRACED)
    agents: RunAgents | None = None
    """The agents of the run, once one is built."""

    @property
    def elapsed_s(self) -> float:
        """Since its start."""
        return time.monotonic() - self.started

    @property
    def remaining_s(self) -> float:
        """Until its deadline."""
        return self.deadline_s - self.elapsed_s

    @property
    def duration_ms(self) -> int:
        """Since its start, as answers tell it."""
        return round(self.elapsed_s * 1000)


@dataclass(frozen=True)
class Answer:
    """What the agent came to."""

    response: str
    stop_reason: str
    usage: Mapping[str, int]
    data: Mapping[str, Any] | None = None
    """The object of an agent with an output model."""
    citations: Sequence[Mapping[str, Any]] | None = None
    """What the run found in the knowledge base, if one is configured."""


run_agents.observe_new_agents()


def run_agent(agent: Agent, query: str, *, agents: RunAgents, seconds: float) -> Answer:
    """Ask the agent, and wait for its answer no longer than `seconds`.

    Raises:
        DeadlineExceeded: it was not done; its thread is left behind, and told to stop when it can.
        ApiError: it ended without an answer.
    """
    try:
        result = run_with_timeout(seconds, lambda: _invoke(agent, query, agents))
    except DeadlineExceeded:
        agents.cancel.set()
        raise
    response = str(result).strip()
    if not response and result.stop_reason == "end_turn":
        raise ApiError("model_error", "The model ended without an answer: send the query again")
    stop_reason = agents.stopped_by or result.stop_reason
    return Answer(
        response, stop_reason, agents.usage, structured_output.data(agent, result), agents.citations
    )


def _invoke(agent: Agent, query: str, agents: RunAgents) -> AgentResult:
    try:
        with agents.observing():
            result = multi_agent.invoke(agent, query, agents)
    except StructuredOutputException:
        if model := structured_output.output_model(agent):
            raise structured_output.not_filled(agent, model) from None
        raise
    except MaxTokensReachedException:
        # What was said until then is worth having; the stop reason tells that it was cut.
        return AgentResult("max_tokens", agent.messages[-1], agent.event_loop_metrics, state={})
    if result.stop_reason.startswith("limit_"):
        _close(agent)
    return result


def _close(agent: Agent) -> None:
    """Give the model the last word: a limit stops it after a tool's, and Bedrock takes no two users in a row.

    So the next question of a session finds a conversation that it can follow.
    """
    agent.messages.append({"role": "assistant", "content": [{"text": "(Stopped here by a limit.)"}]})
    asyncio.run(agent.hooks.invoke_callbacks_async(MessageAddedEvent(agent, agent.messages[-1])))
