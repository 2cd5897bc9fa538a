"""Usage, limits, cancellation and events cover every agent of a run."""

import asyncio
import json
import threading

import pytest
from strands import Agent, tool
from strands.multiagent import GraphBuilder, Swarm

from traced_agent import run_agents
from traced_agent.handler import Handler
from traced_agent.run_agents import RunAgents
from traced_agent.settings import Settings
from traced_agent.testing import ScriptedModel, ToolUse
from traced_agent.tracing.tracer import RunTracer

CALL = {"inputTokens": 11, "outputTokens": 7, "totalTokens": 18}


def times(count):
    return {name: count * tokens for name, tokens in CALL.items()}


@pytest.fixture
def asking(event, context):
    """Makes a handler whose `build_agent` is this function, called without the model."""

    def make(build, **settings):
        class Finished:
            def finish(self, *_told):
                pass

        handler = Handler(Settings(**settings), build, RunTracer(), Finished())

        def ask(query="Hello", seconds=30.0):
            response = handler(event({"query": query}), context(seconds))
            return json.loads(response["body"])

        return ask

    return make


def as_tool(*script, **agent):
    return Agent(model=ScriptedModel(*script), name="researcher", **agent).as_tool()


def in_a_tool(*script):
    @tool
    def researcher(topic: str) -> str:
        """Research.

        Args:
            topic: What.
        """
        return str(Agent(model=ScriptedModel(*script), name="inner")(topic))

    return researcher


def coordinator(nested):
    def build(callback_handler=None, session_manager=None):
        model = ScriptedModel(ToolUse("researcher", {"input": "x", "topic": "x"}), "Done.")
        return Agent(model=model, tools=[nested], callback_handler=callback_handler)

    return build


@pytest.mark.parametrize("nested", [as_tool, in_a_tool])
def test_usage_counts_the_model_calls_of_nested_agents(asking, nested):
    answer = asking(coordinator(nested("Found.")))()
    assert (answer["response"], answer["usage"]) == ("Done.", times(3))


@pytest.mark.parametrize("nested", [as_tool, in_a_tool])
def test_nested_agents_print_nothing(asking, capfd, nested):
    asking(coordinator(nested("Found.")))()
    assert "Found." not in capfd.readouterr().out


def graph(callback_handler=None, session_manager=None):
    builder = GraphBuilder()
    builder.add_node(Agent(model=ScriptedModel("Facts."), name="researcher"), "research")
    builder.add_node(Agent(model=ScriptedModel("A text."), callback_handler=callback_handler), "write")
    builder.add_edge("research", "write")
    builder.set_execution_timeout(60)
    return builder.build()


def swarm(callback_handler=None, session_manager=None):
    handoff = ToolUse("handoff_to_agent", {"agent_name": "writer", "message": "Write."})
    researcher = Agent(model=ScriptedModel(handoff, "Over to you."), name="researcher")
    writer = Agent(model=ScriptedModel("A text."), name="writer", callback_handler=callback_handler)
    return Swarm([researcher, writer])


def test_a_graph_answers_with_its_last_node_and_the_usage_of_all(asking):
    answer = asking(graph)()
    assert (answer["response"], answer["stop_reason"], answer["usage"]) == ("A text.", "end_turn", times(2))


def test_a_swarm_answers_with_its_last_agent(asking):
    answer = asking(swarm)()
    assert (answer["response"], answer["stop_reason"]) == ("A text.", "end_turn")
    assert answer["usage"]["totalTokens"] >= 36


@pytest.mark.parametrize("nested", [as_tool, in_a_tool])
def test_the_limit_on_turns_covers_nested_agents(asking, nested):
    looping = nested(ToolUse("unknown"))
    answer = asking(coordinator(looping), max_turns=5)()
    assert (answer["stop_reason"], answer["usage"]) == ("limit_turns", times(5))


def test_the_limit_on_tokens_covers_the_agents_of_a_graph(asking):
    answer = asking(graph, max_tokens=7)()
    assert (answer["stop_reason"], answer["usage"]) == ("limit_output_tokens", times(1))


def test_after_the_deadline_no_agent_of_the_run_calls_its_model():
    run, model = RunAgents(10, 1000), ScriptedModel("Late.")
    run.cancel.set()
    with run.observing():
        Agent(model=model)("Hello")
    assert model.requests == []


class HangingModel(ScriptedModel):
    """A model whose response does not begin until `released` is set."""

    def __init__(self):
        super().__init__("Late.")
        self.called, self.released = threading.Event(), threading.Event()

    async def stream(self, *args, **kwargs):
        self.called.set()
        while not self.released.is_set():
            await asyncio.sleep(0.01)
        async for event in super().stream(*args, **kwargs):
            yield event


@pytest.fixture
def hanging():
    model = HangingModel()
    yield model
    model.released.set()


def graph_of(model):
    def build(callback_handler=None, session_manager=None):
        builder = GraphBuilder()
        builder.add_node(Agent(model=model, name="researcher"), "research")
        return builder.build()

    return build


@pytest.mark.parametrize(
    "build",
    [
        lambda model: coordinator(Agent(model=model, name="researcher").as_tool()),
        lambda model: coordinator(tool(name="researcher")(lambda topic: str(Agent(model=model)(topic)))),
        graph_of,
    ],
    ids=["agent as a tool", "agent in a tool", "graph"],
)
def test_a_nested_agent_that_hangs_ends_the_run_at_its_deadline(asking, hanging, build):
    answer = asking(build(hanging))(seconds=2)
    assert hanging.called.is_set()
    assert answer["error"]["code"] == "deadline_exceeded"


def test_events_of_nested_agents_name_the_agent(asking):
    run, events = RunAgents(10, 1000), []
    run.on_event = lambda **event: events.append(event)
    with run.observing():
        Agent(model=ScriptedModel("Found."), name="researcher")("Hello")
    assert ["".join(event["data"] for event in events if "data" in event)] == ["Found."]
    assert {event["nested_agent"] for event in events} == {"researcher"}


def test_agents_outside_a_run_are_not_counted():
    assert run_agents.current() is None
    assert str(Agent(model=ScriptedModel("Alone."))("Hello")).strip() == "Alone."
