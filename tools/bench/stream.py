"""The time until the first and the last text of an answer, streamed and buffered."""

import contextlib
import gzip
import http.client
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from tools.bench import deployed
from tools.bench.deployed import ours, running
from tools.bench.result import Part, Table, at_most, spread
from tools.bench.sampling import interleave
from tools.local.fakes.bedrock_server import FakeBedrock
from tools.local.fakes.langfuse_server import FakeLangfuse
from tools.local.function_url.server import FunctionUrlServer
from traced_agent.http import page
from traced_agent.settings import Settings

ROUNDS = 15
PACE_S = 0.02
WORDS = 50
FIRST_TEXT_MS = 15.0
TOTAL_PERCENT = 3.0
PAGE_BYTES = 30_000
_EVENT_STREAM = "text/event-stream"
_STREAMED, _BUFFERED = "streamed", "buffered"


@dataclass(frozen=True)
class AnswerTime:
    """One answer, in milliseconds."""

    first_text: float
    """From the model's first word to the first text at the client."""
    total: float
    """From the request to the end of the answer."""


def measure() -> Part:
    """Send the same question to a streaming and a buffered Function URL in turn, over HTTP."""
    samples, failed = _samples()
    first = {name: [sample.first_text for sample in found] for name, found in samples.items()}
    total = {name: [sample.total for sample in found] for name, found in samples.items()}
    body = page.response(Settings()).body.encode()
    longer = 100 * (statistics.median(total[_STREAMED]) / statistics.median(total[_BUFFERED]) - 1)
    return Part(
        title="Streaming",
        tables=[
            Table(
                "An answer, in milliseconds",
                ["Function URL", "first text after the model's first word", "whole answer"],
                [[name, spread(first[name]), spread(total[name])] for name in samples],
                f"The model generates {WORDS} words, one every {1000 * PACE_S:.0f} ms; the function is warm.",
            )
        ],
        claims=[
            at_most(
                "first text at the client after the model's first word",
                statistics.median(first[_STREAMED]),
                FIRST_TEXT_MS,
                " ms",
            ),
            at_most(
                "total time of a streamed answer compared with a buffered one", longer, TOTAL_PERCENT, " %"
            ),
            at_most("the page", len(body), PAGE_BYTES, " bytes", reason=_page_reason(body)),
        ],
        absent=failed,
    )


def _page_reason(body: bytes) -> str:
    return (
        "its Markdown, its steps and its conversations are readable code of its own, without a library; "
        f"gzip makes {len(gzip.compress(body)):,} bytes of it."
    )


def _samples() -> tuple[dict[str, list[AnswerTime]], dict[str, str]]:
    with contextlib.ExitStack() as stack:
        bedrock = stack.enter_context(FakeBedrock(word_interval_s=PACE_S))
        langfuse = stack.enter_context(FakeLangfuse())
        buffered = deployed.function(ours(), bedrock, langfuse)
        streaming = deployed.function(ours(), bedrock, langfuse, STREAMING="true")
        samplers = {}
        for name, function in ((_BUFFERED, buffered), (_STREAMED, replace(streaming, streaming=True))):
            environments = stack.enter_context(running(function))
            url = stack.enter_context(FunctionUrlServer(environments)).url
            _ask(url, _EVENT_STREAM)
            samplers[name] = _sampler(url, bedrock)
        return interleave("stream", samplers, ROUNDS, required=samplers)


def _sampler(url: str, bedrock: FakeBedrock) -> Callable[[], AnswerTime]:
    def sample() -> AnswerTime:
        sent = time.perf_counter()
        first_text, ended = _ask(url, _EVENT_STREAM)
        return AnswerTime(1000 * (first_text - bedrock.first_word_at), 1000 * (ended - sent))

    return sample


def _ask(url: str, accept: str) -> tuple[float, float]:
    """The times at which the first text and the whole answer had arrived."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    body = json.dumps({"query": f"Go ahead. [[say {WORDS}]]"})
    connection.request("POST", "/", body, {"content-type": "application/json", "accept": accept})
    response = connection.getresponse()
    first_text = 0.0
    for line in response:
        if not first_text and (b'"text": ' in line or b'"response": ' in line):
            first_text = time.perf_counter()
    connection.close()
    if response.status != http.client.OK or not first_text:
        raise RuntimeError(f"not an answer: {response.status}")
    return first_text, time.perf_counter()
