import pytest
from hypothesis import given
from hypothesis import strategies as st

from traced_agent.http.accept import EVENT_STREAM, HTML, wants


@pytest.mark.parametrize(
    "accept",
    [
        "text/event-stream",
        "TEXT/Event-Stream",
        "text/event-stream; charset=utf-8",
        "application/json, text/event-stream",
        "text/event-stream;q=0.5, */*;q=0.1",
        "text/event-stream, application/json;q=0.9",
        "  text/event-stream ;  q=1 , image/png",
    ],
)
def test_only_an_accept_of_event_streams_gets_a_stream(accept):
    assert wants(accept, EVENT_STREAM)


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "text/*",
        "application/json",
        "text/event-stream;q=0",
        "text/event-stream;q=0.0, */*",
        "text/event-stream;q=0.5, application/json",
        "text/event-stream;q=0.5, */*",
        "text/event-stream;q=zero",
        "text/event-streams",
        ";;;,,,=",
        "text/event-stream;q=-1",
    ],
)
def test_other_clients_get_json(accept):
    assert not wants(accept, EVENT_STREAM)


def test_a_browser_wants_the_page_and_curl_does_not():
    assert wants("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", HTML)
    assert not wants("*/*", HTML)


@given(st.text(max_size=200))
def test_any_header_can_be_read(accept):
    assert wants(accept, HTML) in (True, False)
