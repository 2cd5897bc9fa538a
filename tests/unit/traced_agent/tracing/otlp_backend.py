"""A trace backend that is one OTLP endpoint."""

from traced_agent.tracing.idle_connection import IdleConnection
from traced_agent.tracing.otlp_client import OtlpClient
from traced_agent.tracing.otlp_encoding import otlp_headers


class OtlpBackend:
    """Sends spans to the URL, with these arguments of `OtlpClient`."""

    def __init__(self, url, environ=None, idle=None, **headers):
        self.client = OtlpClient(url, otlp_headers(headers), environ or {}, idle or IdleConnection())
        self.prepared = 0

    def prepare(self):
        self.prepared += 1

    def convert(self, span):
        return span

    def send(self, attempt):
        self.client.send(attempt.pending, attempt)

    def refresh_credentials(self):
        return False

    def needs_flush(self):
        return True

    def flush_sdk(self):
        pass
