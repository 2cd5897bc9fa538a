"""One run of an agent, traced as Langfuse documents it or by us: `one_run.py documented|ours|author-…`."""

import os
import sys

sys.modules["numpy"] = None  # Langfuse imports it where it is installed; the layers do not contain it

if sys.argv[1] == "ours":
    from traced_agent.cold_start import startup  # noqa: F401 - as the function does, before Strands

from opentelemetry.trace import get_tracer  # noqa: E402
from strands import Agent, tool  # noqa: E402

from traced_agent import __version__  # noqa: E402
from traced_agent.testing import ScriptedModel, ToolUse  # noqa: E402


@tool
def look_up(word: str) -> str:
    """Look a word up."""
    if os.environ.get("TOOL") == "raises":
        raise ValueError("CANARY-ERROR in " + word)
    if os.environ.get("TOOL") == "observes":
        from langfuse import get_client, propagate_attributes

        with get_client().start_as_current_observation(name="mine", input="CANARY-MINE") as span:
            span.score(name="fit", value=1)
            with propagate_attributes(metadata={"from": "the author"}):
                get_tracer("strands-agents.mine").start_span("below mine").end()
    return "CANARY-RESULT"


QUERY = {"query": "What is 2+2? CANARY-PROMPT"}
RESPONSE = {"response": "Four, ünder CANARY-ANSWER."}
RUN = {"session_id": "s-1", "user_id": "u-1", "metadata": {"team": "größe", "n": "1"}}


def documented():
    from langfuse import get_client, propagate_attributes

    client = get_client()
    tags = ["run-abc", "strands-agents", "mine"]
    with (
        client.start_as_current_observation(name="query", input=QUERY) as span,
        propagate_attributes(**RUN, tags=tags, trace_name="query", version=__version__),
    ):
        agent()
        span.update(output=RESPONSE)
    client.flush()


def ours():
    from traced_agent.settings import Settings
    from traced_agent.tracing.start import start_tracing

    traces = start_tracing(Settings.from_env(os.environ), None)
    for _ in range(int(os.environ.get("RUNS", "1"))):
        with traces.observe(name="query", run_id="abc", query=QUERY, tags=["mine"], **RUN) as observation:
            agent()
            observation.answer(RESPONSE)
        print("langfuse imported:", "langfuse" in sys.modules)
        traces.export(20)


def agent():
    model = ScriptedModel(ToolUse("look_up", {"word": "CANARY-ARGUMENT"}), RESPONSE["response"])
    Agent(model=model, tools=[look_up], system_prompt="CANARY-SYSTEM", callback_handler=None)(QUERY["query"])


if __name__ == "__main__":
    if os.environ.get("IMPORTED") == "at the top":
        import langfuse  # noqa: F401
    {"documented": documented, "ours": ours}[sys.argv[1]]()
