"""One request to the handler in a process of its own, as in a Lambda function: `one_request.py`.

Environment: EARLY names what exists before the user's module, MODEL how the model behaves. Each response is
one line of standard output.
"""

import asyncio
import json
import os
import sys

sys.modules["numpy"] = None  # Langfuse imports it where it is installed; the layers do not contain it

EARLY = os.environ.get("EARLY", "")

if EARLY == "auto-instrumentation":
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(os.environ["OTHER_BACKEND"])))
    trace.set_tracer_provider(provider)
if EARLY == "client before traced_agent":
    from langfuse import Langfuse

    Langfuse()

from traced_agent import create_handler  # noqa: E402

# isort: split
if EARLY in ("get_client", "client with mask"):
    import langfuse

    mask = {"mask": lambda *, data: {"masked": True}} if EARLY == "client with mask" else {}
    client = langfuse.Langfuse(**mask) if mask else langfuse.get_client()

from strands import Agent, tool  # noqa: E402

from traced_agent.testing import ScriptedModel, Text, ToolUse  # noqa: E402


@tool
def look_up(word: str) -> str:
    """Look a word up."""
    if os.environ.get("TOOL") == "observes":
        from langfuse import get_client, propagate_attributes

        ours = client if EARLY in ("get_client", "client with mask") else get_client()
        with ours.start_as_current_observation(name="mine", input="CANARY-MINE") as span:
            span.score(name="fit", value=1)
            with propagate_attributes(tags=["by-the-tool"]):
                span.start_observation(name="tagged").end()
    return "CANARY-RESULT"


SCRIPTS = {
    "": [ToolUse("look_up", {"word": "CANARY-ARGUMENT"}), "CANARY-ANSWER"],
    "fails": [RuntimeError("CANARY-MODEL-ERROR")],
    "endless": [ToolUse("look_up", {"word": "CANARY-ARGUMENT"})],
    "stops": [Text("CANARY-ANSWER", "max_tokens")],
}


class Model(ScriptedModel):
    config = {"model_id": "scripted", "max_tokens": 77, "temperature": 0.5, "api_key": "CANARY-CONFIG"}  # noqa: RUF012

    async def stream(self, *args, **kwargs):
        await asyncio.sleep(0.02)  # Strands reports no time to first token of 0 ms
        async for event in super().stream(*args, **kwargs):
            yield event


def build_model(settings, session):
    return Model(*SCRIPTS[os.environ.get("MODEL", "")] * int(os.environ.get("REQUESTS", "1")))


def build_agent(model, *, callback_handler=None, session_manager=None):
    return Agent(model, tools=[look_up], system_prompt="CANARY-SYSTEM", callback_handler=callback_handler)


class Context:
    aws_request_id = "r1"

    def get_remaining_time_in_millis(self):
        return 60_000


if __name__ == "__main__":
    handler = create_handler(build_model, build_agent)
    body = {"query": "CANARY-PROMPT", "session_id": "s-1", "user_id": "u-1", "metadata": {"team": "größe"}}
    event = {
        "version": "2.0",
        "rawPath": "/",
        "rawQueryString": "",
        "headers": {"content-type": "application/json", "traceparent": os.environ.get("TRACEPARENT", "")},
        "requestContext": {
            "http": {"method": "POST", "path": "/", "sourceIp": "127.0.0.1"},
            "requestId": "r",
        },
        "body": json.dumps(body),
        "isBase64Encoded": False,
    }
    for _ in range(int(os.environ.get("REQUESTS", "1"))):
        print(handler(event, Context())["body"])
    sys.stdout.flush()
