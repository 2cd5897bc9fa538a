"""HTTP connections that another thread can interrupt, with certificates and proxies of the environment.

A timeout of `http.client` applies to one read, so a server that sends a byte at a time holds a request for
as long as it likes. Here the export attempt knows the socket and can shut it down at any time.
"""

import functools
import http.client
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from traced_agent.tracing.export_attempt import ExportAttempt

_CERTIFICATE_VARIABLES: Final = (
    "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CERTIFICATE",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
)
"""The variables that can name other root certificates, as a file or a directory."""


def open_connection(
    url: str, attempt: ExportAttempt, environ: Mapping[str, str]
) -> http.client.HTTPConnection:
    """Create a connection to the URL's host or its proxy; it connects at the first request."""
    parts, proxy = urlsplit(url), _proxy(url)
    address = urlsplit(proxy or url).netloc.rpartition("@")[2]
    if parts.scheme == "https":
        connection = _HttpsConnection(address, attempt, _tls_context(_root_certificates(environ)))
        if proxy:
            connection.set_tunnel(parts.netloc)
        return connection
    return _HttpConnection(address, attempt)


def request_target(url: str, connection: http.client.HTTPConnection) -> str:
    """The request target: the complete URL for an HTTP proxy, otherwise path and query."""
    parts = urlsplit(url)
    through_proxy = parts.scheme == "http" and connection.host != parts.hostname
    return url if through_proxy else (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


class _HttpConnection(http.client.HTTPConnection):
    def __init__(self, address: str, attempt: ExportAttempt) -> None:
        super().__init__(address)
        self._attempt = attempt

    def connect(self) -> None:
        super().connect()
        self._attempt.use_socket(self.sock)


class _HttpsConnection(http.client.HTTPSConnection):
    def __init__(self, address: str, attempt: ExportAttempt, context: ssl.SSLContext) -> None:
        super().__init__(address, context=context)
        self._attempt, self._tls = attempt, context

    def connect(self) -> None:
        """Connect; the attempt gets the socket before the TLS handshake, so it can interrupt that too."""
        http.client.HTTPConnection.connect(self)
        name = self._tunnel_host or self.host  # type: ignore[attr-defined]
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=name, do_handshake_on_connect=False)
        self._attempt.use_socket(self.sock)
        self.sock.do_handshake()


def _root_certificates(environ: Mapping[str, str]) -> str:
    import certifi  # noqa: PLC0415 - not before the answer

    return next((environ[name] for name in _CERTIFICATE_VARIABLES if environ.get(name)), certifi.where())


@functools.cache
def _proxy(url: str) -> str | None:
    parts = urlsplit(url)
    return None if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme)


@functools.cache
def _tls_context(roots: str) -> ssl.SSLContext:
    if Path(roots).is_dir():
        return ssl.create_default_context(capath=roots)
    return ssl.create_default_context(cafile=roots)
