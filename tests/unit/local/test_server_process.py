"""Servers of other programs are running within the `with` statement, and only there."""

import socket
import sys

import httpx
import pytest

from tools.command import Failure
from tools.local.http import server_process
from tools.local.http.server import LOOPBACK, free_port

NAME = "the test's server"


def test_it_accepts_requests_until_the_end_of_the_statement() -> None:
    port = free_port()
    command = [sys.executable, "-m", "http.server", "--bind", LOOPBACK, str(port)]
    with server_process.running(NAME, command, f"http://{LOOPBACK}:{port}/"):
        assert httpx.get(f"http://{LOOPBACK}:{port}/").status_code == 200
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((LOOPBACK, port), 1)


@pytest.mark.parametrize(
    ("code", "reason"),
    [("print('first'); raise SystemExit('no licence')", "no licence"), ("pass", "it printed nothing")],
)
def test_a_server_that_ends_is_reported_with_its_last_line(code: str, reason: str) -> None:
    url = f"http://{LOOPBACK}:{free_port()}/"
    with (
        pytest.raises(Failure, match=f"{NAME} did not start: {reason}"),
        server_process.running(NAME, [sys.executable, "-c", code], url),
    ):
        pass
