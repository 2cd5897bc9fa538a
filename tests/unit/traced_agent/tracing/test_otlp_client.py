"""TLS with the roots that OpenTelemetry's variables name, and proxies as the environment names them."""

import shutil
import ssl
import subprocess

import pytest

from tests.unit.traced_agent.tracing.connect_proxy import ConnectProxy
from tests.unit.traced_agent.tracing.otlp_backend import OtlpBackend


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that signed itself, and its key."""
    if not shutil.which("openssl"):
        pytest.skip("there is no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"]
    make += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "certificate.pem"]
    subprocess.run(make, cwd=folder, check=True, capture_output=True)
    name = ["openssl", "x509", "-hash", "-noout", "-in", "certificate.pem"]
    hashed = subprocess.run(name, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()
    (folder / "roots").mkdir()
    shutil.copy(folder / "certificate.pem", folder / "roots" / f"{hashed}.0")
    return folder


@pytest.fixture
def tls(backend, certificate):
    """The URL of the backend behind that certificate, and the backend."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate / "certificate.pem", certificate / "key.pem")
    backend.server.socket = context.wrap_socket(
        backend.server.socket, server_side=True, do_handshake_on_connect=False
    )
    return backend.url.replace("http:", "https:"), backend


@pytest.mark.parametrize(
    ("variable", "where"),
    [
        ("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "certificate.pem"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "roots"),
        ("SSL_CERT_FILE", "certificate.pem"),
    ],
)
def test_a_backend_is_trusted_by_the_roots_that_are_named(tracing_to, tls, certificate, variable, where):
    url, backend = tls
    traced = tracing_to(OtlpBackend(url, {variable: str(certificate / where)}))
    traced.run("one")
    traced.export()
    assert backend.names == ["one"]


def test_one_tls_handshake_serves_many_exports(tracing_to, tls, certificate):
    url, backend = tls
    handshakes = []
    get_request = backend.server.get_request
    backend.server.get_request = lambda: handshakes.append(1) or get_request()
    traced = tracing_to(OtlpBackend(url, {"SSL_CERT_FILE": str(certificate / "certificate.pem")}))
    for name in ("one", "two", "three"):
        traced.run(name)
        traced.export()
    assert backend.names == ["one", "two", "three"]
    assert len(handshakes) == 1


def test_a_backend_with_an_untrusted_certificate_gets_nothing(tracing_to, tls, caplog):
    url, backend = tls
    traced = tracing_to(OtlpBackend(url))
    traced.run("one")
    traced.export()
    assert backend.requests == []
    assert traced.waiting == ["one"]
    assert "CERTIFICATE_VERIFY_FAILED" in caplog.text


def test_a_proxy_of_the_environment_is_used(tracing_to, backend, monkeypatch):
    monkeypatch.setenv("http_proxy", backend.url.removesuffix("/v1/traces"))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    traced = tracing_to("http://collector.invalid:4318/v1/traces")
    traced.run("one")
    traced.export()
    assert backend.names == ["one"]
    headers, _ = backend.requests[0]
    assert headers["Host"] == "collector.invalid:4318"


def test_a_host_in_no_proxy_is_requested_directly(tracing_to, backend, monkeypatch, unused_address):
    monkeypatch.setenv("http_proxy", f"http://{unused_address}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    traced = tracing_to(backend.url)
    traced.run("one")
    traced.export()
    assert backend.names == ["one"]


@pytest.fixture
def export_through_proxy(tracing_to, tls, certificate, monkeypatch):
    """Exports a run over TLS through a proxy that needs credentials; returns the proxy and the tracing."""
    for name in ("no_proxy", "NO_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with ConnectProxy("user", "p@ss:word/1") as proxy:

        def export(user_info):
            monkeypatch.setenv("https_proxy", f"http://{user_info}{proxy.address}")
            traced = tracing_to(OtlpBackend(tls[0], {"SSL_CERT_FILE": str(certificate / "certificate.pem")}))
            traced.run("one")
            traced.export()
            return proxy, traced

        yield export


def test_the_credentials_of_a_proxy_are_sent_only_to_it(export_through_proxy, tls):
    proxy, _ = export_through_proxy("user:p%40ss%3Aword%2F1@")
    _, backend = tls
    assert proxy.statuses == [200]
    assert backend.names == ["one"]
    headers, _ = backend.requests[0]
    assert "Proxy-Authorization" not in headers


@pytest.mark.parametrize("user_info", ["", "user:canary@"])
def test_a_proxy_that_rejects_the_credentials_is_reported(export_through_proxy, tls, caplog, user_info):
    proxy, traced = export_through_proxy(user_info)
    _, backend = tls
    assert set(proxy.statuses) == {407}
    assert (backend.requests, traced.waiting) == ([], ["one"])
    assert "407 Proxy Authentication Required" in caplog.text
    assert "canary" not in caplog.text
