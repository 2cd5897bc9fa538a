import html
import json

import pytest
from opentelemetry import trace

from traced_agent.settings import Settings
from traced_agent.tracing.tracer import RunTracer

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.fixture
def get(calling, event, context):
    def get(accept, *, page=True, method="GET"):
        handler = calling(settings=Settings(page=page)).handler
        headers = {} if accept is None else {"accept": accept}
        return handler(event(method=method, headers=headers), context())

    return get


def test_a_browser_gets_the_page(get):
    response = get(BROWSER)
    assert response["statusCode"] == 200
    assert response["headers"]["content-type"] == "text/html; charset=utf-8"
    assert response["body"].startswith("<!doctype html>")


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "text/html;q=0", "nonsense"])
def test_other_clients_get_a_description(get, accept):
    response = get(accept)
    assert response["headers"]["content-type"] == "application/json"
    assert json.loads(response["body"])["openapi"] == "/openapi.json"


def test_head_has_the_pages_headers_and_no_body(get):
    response = get(BROWSER, method="HEAD")
    assert response["headers"]["content-type"].startswith("text/html")
    assert response["body"] == ""


def test_options_names_get(get):
    assert get(None, method="OPTIONS")["headers"]["allow"] == "GET, POST, HEAD, OPTIONS"


def test_without_the_page_a_get_is_an_error(get):
    assert get(BROWSER, page=False)["statusCode"] == 405


@pytest.mark.parametrize("endpoint", ["", "http://127.0.0.1:4318/v1/traces"])
def test_the_page_offers_feedback_where_the_function_accepts_it(calling, event, context, endpoint):
    settings = Settings(page=True, otlp_endpoint=endpoint)
    tracer = RunTracer(settings, trace.NoOpTracer(), lambda: None)
    handler = calling(tracing=tracer, settings=settings).handler
    page = html.unescape(handler(event(method="GET", headers={"accept": BROWSER}), context())["body"])
    offered = "true" if "/feedback" in handler.routes else "false"
    assert f'"feedback": {offered}' in page
    assert offered == ("false" if endpoint else "true")
