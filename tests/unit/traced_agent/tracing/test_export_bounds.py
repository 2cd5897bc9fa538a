"""Whatever a backend does, an export is over when its time is, and nothing is lost."""

import threading
import time

import pytest

from traced_agent.worker_threads import wait

BUDGET_S = 0.6
SLACK_S = 1.5
"""For a busy machine; every fault here lasts much longer."""


@pytest.mark.parametrize(
    "fault", ["hang_before_headers", "hang_in_body", "drip_headers", "drip_body", "close_at_once"]
)
def test_a_faulty_backend_delays_an_export_at_most_by_its_time_limit(traced, backend, fault):
    backend.behave = getattr(backend, fault)
    traced.run("first", "a", "b")
    assert traced.export(BUDGET_S) < BUDGET_S + SLACK_S
    assert sorted(traced.waiting) == ["a", "b", "first"]

    backend.behave = backend.accept
    traced.run("second")
    traced.export()
    assert sorted(backend.names) == ["a", "b", "first", "second"]
    assert traced.metrics == {"TracesRetried": 1, "TracesExported": 2}
    assert traced.waiting == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_backend_that_accepts_no_connection_delays_an_export_no_longer(tracing_to, unconnectable, scheme):
    traced = tracing_to(f"{scheme}://{unconnectable}/v1/traces")
    traced.run("one")
    assert traced.export(BUDGET_S) < BUDGET_S + SLACK_S
    assert traced.waiting == ["one"]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_backend_that_never_responds_delays_an_export_no_longer(tracing_to, silent, scheme):
    traced = tracing_to(f"{scheme}://{silent}/v1/traces")
    traced.run("one")
    assert traced.export(BUDGET_S) < BUDGET_S + SLACK_S
    assert traced.waiting == ["one"]


def test_a_closed_connection_leaves_no_thread(traced, backend):
    backend.behave = backend.drip_headers
    traced.run("one")
    traced.export(BUDGET_S)
    assert wait(traced.queue._sending, 5)


def test_a_refused_connection_is_tried_twice(tracing_to, unused_address, caplog):
    traced = tracing_to(f"http://{unused_address}/v1/traces")
    traced.run("one")
    assert traced.export(30) < 10
    assert traced.waiting == ["one"]
    assert "cannot be reached" in caplog.text


def test_an_export_is_repeated_once_for_a_busy_backend(traced, backend):
    answers = [503, 200]

    def behave(handler, spans):
        if (status := answers.pop(0)) == 200:
            return backend.accept(handler, spans)
        return backend.say(handler, status)

    backend.behave = behave
    traced.run("one")
    traced.export()
    assert backend.names == ["one"]
    assert traced.waiting == []


def test_many_batches_share_one_budget(traced, backend):
    def slow(handler, spans):
        time.sleep(0.25)
        backend.accept(handler, spans)

    backend.behave = slow
    traced.run("root", *(f"s{number}" for number in range(1000)))
    assert traced.export(BUDGET_S) < BUDGET_S + SLACK_S
    assert 0 < len(traced.waiting) < 1001

    backend.behave = backend.accept
    traced.export(20)
    assert traced.waiting == []
    assert {f"s{number}" for number in range(1000)} < set(backend.names)


def test_an_export_without_time_sends_nothing_and_keeps_everything(traced, backend):
    traced.run("one")
    assert traced.export(0) < SLACK_S
    traced.export(5)
    assert backend.names == ["one"]


def test_two_exports_at_the_same_time_send_nothing_twice(traced, backend):
    def slow(handler, spans):
        time.sleep(0.2)
        backend.accept(handler, spans)

    backend.behave = slow
    traced.run("one", "a")
    threads = [threading.Thread(target=traced.export) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(backend.names) == ["a", "one"]


def test_an_export_in_progress_is_awaited_and_not_repeated(tracing_to):
    """A destination that cannot be cut off, in a look-up of a name, say."""
    go_on, sent = threading.Event(), []

    class Stuck:
        def prepare(self):
            pass

        def send(self, attempt):
            go_on.wait(20)
            sent.extend(span.name for span in attempt.pending)
            attempt.sent.update((s.context.trace_id, s.context.span_id) for s in attempt.pending)

        def needs_flush(self):
            return True

        def flush_sdk(self):
            pass

    traced = tracing_to(Stuck())
    traced.run("one")
    assert traced.export(0.2) < SLACK_S
    traced.run("two")
    assert traced.export(0.2) < SLACK_S
    go_on.set()
    traced.export(5)
    assert sent == ["one", "two"]
    assert traced.metrics["TracesExported"] == 2


def test_an_sdk_that_hangs_delays_no_export(tracing_to, backend):
    from_the_author = threading.Event()
    traced = tracing_to(backend.url)
    traced.queue._backend.flush_sdk = lambda: from_the_author.wait(20)
    traced.run("one")
    assert traced.export(BUDGET_S) < BUDGET_S + SLACK_S
    traced.run("two")
    assert traced.export(BUDGET_S) < BUDGET_S + SLACK_S
    assert backend.names == ["one", "two"]
    from_the_author.set()


def test_an_export_never_raises(tracing_to, caplog):
    class Broken:
        def prepare(self):
            pass

        def send(self, attempt):
            raise SystemExit(3)

        def needs_flush(self):
            return True

        def flush_sdk(self):
            raise SystemExit(4)

    traced = tracing_to(Broken())
    traced.run("one")
    traced.export()
    assert traced.waiting == ["one"]
    assert "SystemExit: 3" in caplog.text
