"""Runs an agent, a graph or a swarm, and returns one result for each of them."""

from typing import Any

from strands import Agent
from strands.agent import AgentResult
from strands.types.agent import Limits

from traced_agent.run_agents import RunAgents


def invoke(agent: Any, prompt: Any, run: RunAgents) -> AgentResult:
    """Run it to its end.

    Args:
        agent: an Agent, or a multi-agent object of Strands (Graph, Swarm), which takes no limits itself: the
            hooks of `run_agents` limit the agents in it.
        prompt: the query.
        run: the limits of the run, and the signal that cancels it.

    Raises:
        Exception: what ended an agent.
    """
    if isinstance(agent, Agent):
        limits = Limits(turns=run.max_turns, output_tokens=run.max_output_tokens)
        return agent(prompt, limits=limits, cancel_signal=run.cancel)
    return _last_result(agent(prompt))


def _last_result(result: Any) -> AgentResult:
    """The result of the node that ran last."""
    order = getattr(result, "execution_order", None) or getattr(result, "node_history", None) or []
    for node in reversed(order):
        outcome = result.results[node.node_id].result
        if isinstance(outcome, Exception):
            raise outcome
        return outcome if isinstance(outcome, AgentResult) else _last_result(outcome)
    raise RuntimeError(f"no agent ran: {type(result).__name__} ended with status {result.status.value}")
