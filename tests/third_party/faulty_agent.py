"""The example agent; certain queries cause what no client can cause otherwise."""

from example_agent import TOOLS, build_model  # noqa: F401 - build_model is for lambda_handler
from strands import Agent

from traced_agent.sessions.store import MAX_BYTES


class FaultyAgent(Agent):
    """Fails, or makes its session too long, if the query says so."""

    def __call__(self, prompt, **options):
        if prompt == "[[internal_error]]":
            raise RuntimeError("a fault of the agent")
        if prompt == "[[fill_session]]":
            prompt = "x" * MAX_BYTES
        return super().__call__(prompt, **options)


def build_agent(model, *, callback_handler=None, session_manager=None):
    return FaultyAgent(
        model=model,
        tools=list(TOOLS),
        callback_handler=callback_handler,
        session_manager=session_manager,
        retry_strategy=None,
    )
