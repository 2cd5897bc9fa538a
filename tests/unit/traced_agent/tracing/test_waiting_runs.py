"""Runs that wait are measured after each export, and a backend's request for a pause is respected."""

import email.utils

import pytest


def test_waiting_runs_and_the_age_of_the_oldest_are_measured_after_each_export(traced, backend):
    backend.behave = backend.answering(401)
    traced.run("one")
    traced.export()
    assert traced.gauges == {"TracesWaiting": 1, "OldestTraceAge": 0}
    traced.now += 90
    traced.run("two")
    traced.export()
    assert traced.gauges == {"TracesWaiting": 2, "OldestTraceAge": 90}
    backend.behave = backend.accept
    traced.export()
    assert traced.gauges == {}


def test_a_run_counts_as_retried_once_however_often_it_is_sent_again(traced, backend):
    backend.behave = backend.answering(404)
    for _ in range(20):
        traced.run("one")
        traced.export()
    backend.behave = backend.accept
    traced.export()
    assert traced.metrics == {"TracesRetried": 20, "TracesExported": 20}


@pytest.mark.parametrize(
    ("status", "headers", "pause_s"),
    [
        (429, {"Retry-After": "30"}, 30),
        (503, {"Retry-After": "30"}, 30),
        (429, {}, 5),
        (429, {"Retry-After": "soon"}, 5),
        (429, {"Retry-After": "inf"}, 5),
        (429, {"Retry-After": "99999"}, 300),
        (429, {"Retry-After": "-3"}, 0),
    ],
)
def test_a_backend_that_asks_for_a_pause_gets_one_request_until_it_is_over(
    traced, backend, status, headers, pause_s
):
    backend.behave = backend.answering(status, b"slower", **headers)
    traced.run("one")
    traced.export()
    traced.now += pause_s - 1
    if pause_s:
        traced.export()
    assert len(backend.requests) == 1
    assert traced.gauges["TracesWaiting"] == 1

    backend.behave = backend.accept
    traced.now += 1
    traced.export()
    assert backend.names == ["one"]


def test_a_pause_can_be_given_as_a_date(traced, backend):
    date = email.utils.formatdate(traced.now + 60, usegmt=True)
    backend.behave = backend.answering(429, **{"Retry-After": date})
    traced.run("one")
    traced.export()
    traced.now += 30
    traced.export()
    assert len(backend.requests) == 1
    traced.now += 31
    traced.export()
    assert len(backend.requests) == 2
