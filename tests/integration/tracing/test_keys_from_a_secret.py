"""Keys from a secret are read after the answer; a wrong key costs no answer, and with a spool no trace."""

import pytest

from tools.aws import replay_traces

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:langfuse-AbCdEf"


@pytest.fixture
def function(running, langfuse, secrets):
    """The function with its keys in a secret, and a spool."""
    where = {"AWS_ENDPOINT_URL_SECRETS_MANAGER": secrets.url, "LANGFUSE_SECRET_ARN": ARN}
    none = {"LANGFUSE_PUBLIC_KEY": "", "LANGFUSE_SECRET_KEY": ""}
    with running(langfuse, TRACE_SPOOL="log", **none, **where) as function:
        yield function


def ask(function):
    body, _ = function.ask()
    assert body["success"]
    function.drain()
    return body["trace_id"]


def test_the_secret_is_read_once_and_after_the_answer(function, langfuse, secrets):
    secrets.store(langfuse)
    traces = [ask(function) for _ in range(3)]
    assert [trace.trace_id for trace in langfuse.traces()] == traces
    assert secrets.requests == [{"SecretId": ARN}]


def test_a_rotated_secret_is_picked_up_without_losing_a_trace(function, langfuse, secrets):
    secrets.store(langfuse, "the one before")
    first = ask(function)
    assert langfuse.traces() == []
    secrets.store(langfuse)
    second = ask(function)
    assert {trace.trace_id for trace in langfuse.traces()} == {first, second}
    assert function.metrics("TracesLost") == function.metrics("TracesSpooled") == 0


def test_without_a_secret_runs_are_answered_spooled_and_sent_later(function, langfuse, secrets, tmp_path):
    spooled = [ask(function) for _ in range(2)]
    assert function.metrics("TracesSpooled") == 2
    assert sum("traces are not sent: the secret" in line for line in function.log) == 1
    assert langfuse.attempts == 0

    secrets.store(langfuse)
    sent = ask(function)
    assert [trace.trace_id for trace in langfuse.traces()] == [sent]

    log = tmp_path / "log"
    log.write_text("\n".join(function.log))
    keys = {"LANGFUSE_PUBLIC_KEY": langfuse.public_key, "LANGFUSE_SECRET_KEY": langfuse.secret_key}
    assert replay_traces.main(["--file", str(log)], {"LANGFUSE_HOST": langfuse.url, **keys}) == 0
    like = {span.name: (span.scope, sorted(span.attributes)) for span in langfuse.trace(sent).spans}
    for trace_id in spooled:
        trace = langfuse.trace(trace_id)
        assert {span.name: (span.scope, sorted(span.attributes)) for span in trace.spans} == like
