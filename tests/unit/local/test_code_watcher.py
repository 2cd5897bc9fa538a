"""Requests wait until the code that was last saved is deployed."""

import contextlib
import os
import threading
import time
from types import SimpleNamespace

import pytest
from botocore.exceptions import EndpointConnectionError

from tools.local.cloud.code_watcher import CodeWatcher

START = 'from traced_agent import create_handler\n\nhandler = create_handler("agent")\n'


class Cloud:
    """A cloud that keeps the assets it gets."""

    def __init__(self, began_ns):
        self.began_ns = began_ns
        self.url_server = SimpleNamespace(before_request=None)
        self.pool = SimpleNamespace(function=SimpleNamespace(code=None))
        self.updates = []

    def update(self, asset):
        self.updates.append(asset)


@pytest.fixture
def source(tmp_path):
    (tmp_path / "lambda_handler.py").write_text(START)
    (tmp_path / "agent.py").write_text("TOOLS = []\n")
    return tmp_path


@pytest.fixture
def run(source):
    """Watches the source for a cloud until the test ends, and sends it a request."""
    with contextlib.ExitStack() as watchers:

        def start(cloud, report=lambda _: None):
            watcher = CodeWatcher(cloud, report, source)
            thread = threading.Thread(target=watcher.run, daemon=True)
            thread.start()
            watchers.callback(_stop, watcher, thread)
            cloud.url_server.before_request()

        yield start


def _stop(watcher, thread):
    watcher.stop()
    thread.join(60)
    assert not thread.is_alive()


def test_nothing_is_deployed_again_if_nothing_was_saved(run):
    cloud = Cloud(time.time_ns() + 10**9)
    run(cloud)
    assert cloud.updates == []


def test_a_file_that_was_saved_while_the_stack_was_deployed_is_deployed_before_the_first_request(run, source):
    cloud = Cloud(time.time_ns() + 10**9)
    saved_ns = cloud.began_ns + 1
    os.utime(source / "agent.py", ns=(saved_ns, saved_ns))
    run(cloud)
    assert len(cloud.updates) == 1


def test_an_edit_that_the_control_plane_does_not_take_is_reported_and_the_next_one_is_deployed(run, source):
    cloud = Cloud(time.time_ns() - 10**12)
    reports = []

    def fail(asset):
        cloud.update = cloud.updates.append
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")

    cloud.update = fail
    run(cloud, reports.append)
    assert "keeps serving: EndpointConnectionError" in reports[0]
    (source / "agent.py").write_text("TOOLS = [print]\n")
    cloud.url_server.before_request()
    assert len(cloud.updates) == 1
