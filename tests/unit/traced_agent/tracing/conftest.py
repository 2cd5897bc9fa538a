import gzip
import socket
import threading
import time
from collections import Counter, deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource

from tests.unit.traced_agent.tracing.otlp_backend import OtlpBackend
from traced_agent.tracing.export_queue import ExportQueue
from traced_agent.tracing.spans import RunTracerProvider, SpanBuffer

GAUGES = ("TracesWaiting", "OldestTraceAge")
"""Metrics that are measured after each export, not counted."""


class Backend:
    """An OTLP endpoint over a raw socket with fault injection; it remembers what it accepted."""

    def __init__(self):
        self.behave = self.accept
        self.requests = []
        self.spans = []
        self.stop = threading.Event()
        backend = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = gzip.decompress(self.rfile.read(int(self.headers["content-length"])))
                request = ExportTraceServiceRequest.FromString(body)
                spans = [s for r in request.resource_spans for scope in r.scope_spans for s in scope.spans]
                backend.requests.append((dict(self.headers), spans))
                backend.behave(self, spans)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/traces"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def names(self):
        return [span.name for span in self.spans]

    def accept(self, handler, spans):
        self.spans += spans
        self.say(handler, 200)

    def say(self, handler, status, body=b"", kind="application/x-protobuf", **headers):
        handler.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": len(body), **headers}.items():
            handler.send_header(name, str(value))
        handler.end_headers()
        handler.wfile.write(body)

    def answering(self, status, body=b"", kind="text/plain", **headers):
        return lambda handler, spans: self.say(handler, status, body, kind, **headers)

    def hang_before_headers(self, handler, spans):
        self.stop.wait(30)

    def hang_in_body(self, handler, spans):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123")
        self.stop.wait(30)

    def drip_headers(self, handler, spans):
        self.drip(handler, b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 1000)

    def drip_body(self, handler, spans):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        self.drip(handler, b"a" * 999)

    def drip(self, handler, data):
        for byte in data:
            if self.stop.wait(0.05):
                return
            try:
                handler.wfile.write(bytes([byte]))
            except OSError:
                return

    def close_at_once(self, handler, spans):
        handler.connection.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.stop.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def backend():
    backend = Backend()
    yield backend
    backend.close()


class Traced:
    """A tracer provider and an export queue; the test starts the runs."""

    def __init__(self, trace_backend, *, sample_rate=1.0, **options):
        self.buffer = SpanBuffer(sample_rate)
        self.provider = RunTracerProvider(self.buffer, Resource({"service.name": "test"}))
        self.tracer = self.provider.get_tracer("strands.telemetry.tracer")
        self.metrics = Counter()
        self.gauges = {}
        self.now = time.time()
        self.log = []
        self.queue = ExportQueue(
            trace_backend,
            self.buffer.finished,
            emit=self._record,
            clock=lambda: self.now,
            write=self.log.append,
            **options,
        )

    def run(self, name, *children, **attributes):
        """One run: a root with some children, each with these attributes."""
        with self.tracer.start_as_current_span(name, attributes=attributes):
            for child in children:
                self.tracer.start_span(child, attributes=attributes).end()

    def export(self, budget_s=5.0):
        """Export; how long it took, in seconds."""
        started = time.monotonic()
        self.queue.export(budget_s)
        return time.monotonic() - started

    def _record(self, values):
        self.gauges = {name: value for name, value in values.items() if name in GAUGES}
        self.metrics.update({name: value for name, value in values.items() if name not in GAUGES})

    @property
    def waiting(self):
        """The names of the spans that wait."""
        return [span.name for run in self.queue._runs for span in run.spans]


@pytest.fixture
def traced(backend):
    return Traced(OtlpBackend(backend.url))


@pytest.fixture
def tracing_to():
    """Makes a `Traced` for a URL or a backend."""

    def make(to, **options):
        return Traced(OtlpBackend(to) if isinstance(to, str) else to, **options)

    return make


@pytest.fixture
def unconnectable():
    """The address of a server whose queue of connections is full: connecting to it hangs."""
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(0)
    waiting = []
    for _ in range(3):
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(server.getsockname())
        waiting.append(client)
    yield f"127.0.0.1:{server.getsockname()[1]}"
    for each in (*waiting, server):
        each.close()


@pytest.fixture
def silent():
    """The address of a server that takes connections and never says a word, not even for TLS."""
    server = socket.create_server(("127.0.0.1", 0))
    yield f"127.0.0.1:{server.getsockname()[1]}"
    server.close()


@pytest.fixture
def finished():
    """An empty queue of finished runs."""
    return deque()


@pytest.fixture
def unused_address():
    """An address without a server."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"
