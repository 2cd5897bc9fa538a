"""A tracer whose finished runs can be read."""

from traced_agent.settings import Settings
from traced_agent.tracing.spans import (
    SCOPE,
    RunTracerProvider,
    SpanBuffer,
    build_resource,
)
from traced_agent.tracing.tracer import RunTracer

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Recorded:
    """RunTracer over a provider that is not the process's, whose finished runs are looked at."""

    def __init__(self, settings=None, sample_rate=1.0):
        settings = settings or Settings(langfuse_host="https://lf.example.com")
        self.buffer = SpanBuffer(sample_rate)
        about = build_resource({}, version="1", environment="", release="")
        self.tracer = RunTracerProvider(self.buffer, about).get_tracer(SCOPE)
        self.tracing = RunTracer(settings, self.tracer)

    def observe(self, **about):
        return self.tracing.observe(**{"name": "query", "run_id": "r1", "query": {"query": "Hi"}, **about})

    def spans(self):
        """Of the one run there is, by name."""
        (run,) = self.buffer.finished
        return {span.name: span for span in run}
