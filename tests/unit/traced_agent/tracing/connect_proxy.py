"""A proxy for HTTPS on loopback that needs credentials: CONNECT as in RFC 9110, section 9.3.6."""

import base64
import contextlib
import socket
import threading


class ConnectProxy:
    """The proxy: `with ConnectProxy("user", "password") as proxy`, then `proxy.address`."""

    def __init__(self, user, password):
        self._expected = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self.statuses = []
        """The status of each CONNECT request."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_error):
        self._listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client):
        with client, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(4096)
            request, *lines = head.decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
            }
            allowed = headers.get("proxy-authorization") == self._expected
            self.statuses.append(200 if allowed else 407)
            if not allowed:
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
                return
            host, _, port = request.split()[1].rpartition(":")
            with socket.create_connection((host, int(port)), 5) as server:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                threading.Thread(target=_copy, args=[server, client], daemon=True).start()
                _copy(client, server)


def _copy(source, target):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
