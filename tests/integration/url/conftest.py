"""The streaming function on the built layers, in AWS's own runtime client, behind a local Function URL."""

import contextlib
import http.client
import json
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from tests import browser
from tests.integration.url.scripted_function import serve_script
from tools.local.function_url.server import FunctionUrlServer
from tools.local.runtime.environment_pool import EnvironmentPool
from tools.local.runtime.function import Function

JSON_TYPE = {"content-type": "application/json"}


@dataclass
class Served:
    """A function behind its URL."""

    environments: EnvironmentPool
    url: str
    log: list

    def post(self, query, accept="text/event-stream", **more):
        """The response, its body still to be read."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=60)
        connection.request("POST", "/", json.dumps({"query": query, **more}), {**JSON_TYPE, "accept": accept})
        return connection.getresponse()

    def events(self, query, **more):
        return list(events_of(self.post(query, **more)))

    @property
    def starts(self):
        return sum("Init Duration:" in line for line in self.log)


def events_of(response):
    """Each event's name and object, as they come; comments under the name None."""
    name = None
    for line in response:
        field, _, value = line.decode().rstrip("\n").partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)
        elif field == "":
            name = None


@pytest.fixture(scope="session")
def serve(opt, source):
    """Serves the handler's source, or other code, during a `with`."""

    @contextlib.contextmanager
    def serve(*, bedrock_url="", streaming=True, code=None, timeout_s=20.0, environment=None, **function):
        log = []
        variables = {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": bedrock_url, **(environment or {})}
        if streaming:
            variables["STREAMING"] = "true"
        served = Function(
            code=code or source,
            opt=opt,
            streaming=streaming,
            environment=variables,
            timeout_s=timeout_s,
            **function,
        )
        with (
            EnvironmentPool(served, log=log.append) as environments,
            FunctionUrlServer(environments) as front,
        ):
            yield Served(environments, front.url, log)

    return serve


@pytest.fixture(scope="session")
def streaming(serve, bedrock):
    with serve(bedrock_url=bedrock.url) as served:
        yield served


@pytest.fixture(scope="session")
def events():
    return events_of


@pytest.fixture(scope="session")
def driver():
    driver = browser.start_driver()
    yield driver
    driver.quit()


@pytest.fixture
def tab(driver, tmp_path):
    """A new tab, without what an earlier one stored; its console must stay empty."""
    first = driver.current_window_handle
    driver.switch_to.new_window("tab")
    tab = browser.Tab(driver, tmp_path)
    yield tab
    messages = tab.console()
    driver.close()
    driver.switch_to.window(first)
    assert messages == []


@pytest.fixture
def scripted():
    """The page of a function whose answers the test writes."""
    with serve_script(suggestions=("What is 17 % of 2,340?",), feedback=True) as function:
        yield function
