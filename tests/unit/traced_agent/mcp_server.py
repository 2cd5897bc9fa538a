"""An MCP server of the `mcp` package on loopback, and servers that misbehave."""

import contextlib
import socket
import threading
import time

import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse


def stock(article: str) -> str:
    """Say how many there are of an article.

    Args:
        article: For example "tea".
    """
    return f"There are 12 of {article}."


class Recorder:
    """ASGI middleware that remembers each request's method, path and headers."""

    def __init__(self, app):
        self.app, self.requests = app, []

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            headers = {name.decode(): value.decode() for name, value in scope["headers"]}
            self.requests.append((scope["method"], scope["path"], headers))
        await self.app(scope, receive, send)


@contextlib.contextmanager
def served(app, port=0):
    """Serves an ASGI application; gives its port."""
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", lifespan="on")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 60
    while not server.started and time.monotonic() < until:
        time.sleep(0.01)
    assert server.started
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        thread.join(20)


@contextlib.contextmanager
def mcp_server(*tools, port=0):
    """Serves these functions as tools; gives the URL, the server and the recorded requests."""
    from mcp.server.mcpserver import MCPServer  # it takes seconds to import

    server = MCPServer("stock")
    for tool in tools or (stock,):
        server.add_tool(tool)
    recorder = Recorder(server.streamable_http_app(json_response=True))
    with served(recorder, port) as bound:
        yield f"http://127.0.0.1:{bound}/mcp", server, recorder.requests


@contextlib.contextmanager
def refusing(status):
    """Answers every request with this status."""

    async def respond(scope, receive, send):
        if scope["type"] == "http":
            await PlainTextResponse("no", status)(scope, receive, send)
        else:
            await Starlette()(scope, receive, send)

    with served(respond) as port:
        yield f"http://127.0.0.1:{port}/mcp"


@contextlib.contextmanager
def raw(respond):
    """Accepts connections and gives each to `respond(connection, closing)`, in a thread."""
    closing = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=handle, args=[connection], daemon=True).start()

        def handle(connection):
            with contextlib.suppress(OSError), connection:
                connection.recv(65536)
                respond(connection, closing)

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
        closing.set()


def hang(_connection, closing):
    closing.wait(30)


def garbage(connection, _closing):
    connection.sendall(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n\x00garbage{"
    )


def drip(connection, closing):
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9000\r\n\r\n")
    while not closing.wait(0.2):
        connection.sendall(b" ")
