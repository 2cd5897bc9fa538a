"""HTTP connections that another thread can interrupt, with certificates and proxies of the environment.

A timeout of `http.client` applies to one read, so a server that sends a byte at a time holds a request for
as long as it likes. Here the export attempt knows the socket and can shut it down at any time.
"""

import base64
import functools
import http.client
import logging
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from traced_agent.tracing.export_attempt import ExportAttempt

logger = logging.getLogger(__name__)

_CERTIFICATE_VARIABLES: Final = (
    "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CERTIFICATE",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
)
"""The variables that can name other root certificates, as a file or a directory."""


def open_connection(url: str, attempt: ExportAttempt, environ: Mapping[str, str]) -> "Connection":
    """Create a connection to the URL's host or its proxy; it connects at the first request."""
    parts, proxy = urlsplit(url), _proxy(url)
    address = urlsplit(proxy or url).netloc.rpartition("@")[2]
    if parts.scheme == "https":
        connection = _HttpsConnection(address, attempt, _tls_context(_root_certificates(environ)))
        if proxy:
            connection.set_tunnel(parts.netloc, headers=_proxy_credentials(proxy))
        return connection
    return _HttpConnection(address, attempt)


def request_target(url: str) -> str:
    """The request target: the complete URL for an HTTP proxy, otherwise path and query."""
    parts = urlsplit(url)
    if _through_http_proxy(url):
        return url
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def proxy_headers(url: str) -> dict[str, str]:
    """The headers of a request through an HTTP proxy; an HTTPS proxy gets them with CONNECT."""
    return _proxy_credentials(_proxy(url) or "") if _through_http_proxy(url) else {}


def _through_http_proxy(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and bool(_proxy(url))


def _proxy_credentials(proxy: str) -> dict[str, str]:
    parts = urlsplit(proxy)
    if not parts.username:
        return {}
    credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Proxy-Authorization": "Basic " + base64.b64encode(credentials.encode()).decode()}


class _HttpConnection(http.client.HTTPConnection):
    def __init__(self, address: str, attempt: ExportAttempt) -> None:
        super().__init__(address)
        self._attempt = attempt

    def use(self, attempt: ExportAttempt) -> None:
        """Give the open socket to another attempt."""
        self._attempt = attempt
        attempt.use_socket(self.sock)

    def connect(self) -> None:
        super().connect()
        self._attempt.use_socket(self.sock)


class _HttpsConnection(http.client.HTTPSConnection):
    def __init__(self, address: str, attempt: ExportAttempt, context: ssl.SSLContext) -> None:
        super().__init__(address, context=context)
        self._attempt, self._tls = attempt, context

    def use(self, attempt: ExportAttempt) -> None:
        """Give the open socket to another attempt."""
        self._attempt = attempt
        attempt.use_socket(self.sock)

    def connect(self) -> None:
        """Connect; the attempt gets the socket before the TLS handshake, so it can interrupt that too."""
        http.client.HTTPConnection.connect(self)
        name = self._tunnel_host or self.host  # type: ignore[attr-defined]
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=name, do_handshake_on_connect=False)
        self._attempt.use_socket(self.sock)
        self.sock.do_handshake()


Connection: TypeAlias = _HttpConnection | _HttpsConnection


def _root_certificates(environ: Mapping[str, str]) -> str:
    import certifi  # noqa: PLC0415 - not before the answer

    for name in _CERTIFICATE_VARIABLES:
        if path := environ.get(name):
            if Path(path).exists():
                return path
            _log_missing_file(name, path)
    return certifi.where()


@functools.cache
def _log_missing_file(name: str, path: str) -> None:
    logger.warning("%s is ignored: the file %s does not exist", name, path)


@functools.cache
def _proxy(url: str) -> str | None:
    parts = urlsplit(url)
    return None if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme)


@functools.cache
def _tls_context(roots: str) -> ssl.SSLContext:
    if Path(roots).is_dir():
        return ssl.create_default_context(capath=roots)
    return ssl.create_default_context(cafile=roots)
