import json
import threading
import time

import pytest

from traced_agent.streaming.sse import HEARTBEAT, LONGEST_OUTPUT, SseWriter, encode_event


class Written:
    def __init__(self):
        self.parts = []

    def __call__(self, data):
        self.parts.append(data)

    @property
    def events(self):
        lines = (part.decode().split("\n") for part in self.parts if part != HEARTBEAT)
        return [
            (line[0].removeprefix("event: "), json.loads(line[1].removeprefix("data: "))) for line in lines
        ]


@pytest.fixture
def written():
    return Written()


@pytest.fixture
def events(written):
    events = SseWriter(written, silence_s=60)
    yield events
    events.close()


def test_an_event_is_two_lines_and_a_blank_one():
    assert encode_event("text", '{"text": "hé"}') == 'event: text\ndata: {"text": "hé"}\n\n'.encode()


@pytest.mark.parametrize(
    "text", ["a\nb\r\nc", "data: x\n\nevent: result", "\ude00 alone", "\x85\u2028\u2029\0😀"]
)
def test_any_text_of_the_model_stays_inside_its_event(text, events, written):
    events.on_event(data=text)
    assert len(written.parts[0].decode().splitlines()) == 3, "for readers that split as Unicode does, too"
    assert written.events == [("text", {"text": text})]


def test_only_text_and_tools_are_sent(events, written):
    events.on_event(init_event_loop=True)
    events.on_event(event={"contentBlockDelta": {"delta": {"text": "raw"}}})
    events.on_event(data="Let me see. ", delta={"text": "Let me see. "})
    events.on_event(reasoningText="hm", reasoning=True)
    use = [{"toolUseId": key, "name": name, "input": {}} for key, name in (("1", "clock"), ("2", "sums"))]
    events.on_event(
        message={
            "role": "assistant",
            "content": [{"text": "Let me see. "}, *({"toolUse": one} for one in use)],
        }
    )
    results = [
        {"toolUseId": "1", "status": "success", "content": []},
        {"toolUseId": "2", "status": "error", "content": []},
    ]
    events.on_event(message={"role": "user", "content": [{"toolResult": result} for result in results]})
    events.on_event(data="Noon.")
    assert written.events == [
        ("text", {"text": "Let me see. "}),
        ("tool", {"name": "clock", "state": "started"}),
        ("tool", {"name": "sums", "state": "started"}),
        ("tool", {"name": "clock", "state": "finished"}),
        ("tool", {"name": "sums", "state": "failed"}),
        ("text", {"text": "Noon."}),
    ]


def test_the_last_event_contains_the_answer(events, written):
    events.close("result", '{"success": true}')
    events.on_event(data="an abandoned run talks on")
    events.close("error", "{}")
    assert written.parts == [b'event: result\ndata: {"success": true}\n\n']


def test_a_silence_is_broken_by_comments_until_the_end(written):
    events = SseWriter(written, silence_s=0.05)
    until = time.monotonic() + 60
    while len(written.parts) < 3 and time.monotonic() < until:
        time.sleep(0.01)
    events.close()
    said = len(written.parts)
    assert said >= 3
    assert set(written.parts) == {HEARTBEAT}
    time.sleep(0.2)
    assert len(written.parts) == said


def test_a_comment_is_not_an_event():
    assert HEARTBEAT.startswith(b":")
    assert HEARTBEAT.endswith(b"\n\n")


def test_no_comment_is_sent_while_events_are_sent(written):
    events = SseWriter(written, silence_s=1.0)
    for _ in range(20):
        events.on_event(data="word")
        time.sleep(0.01)
    events.close()
    assert HEARTBEAT not in written.parts


def test_events_from_many_threads_never_run_into_each_other():
    wire = []

    def slowly(data):
        for byte in (data[:5], data[5:]):
            wire.append(byte)
            time.sleep(0)

    events = SseWriter(slowly, silence_s=60)
    threads = [
        threading.Thread(target=lambda: [events.on_event(data="ab") for _ in range(50)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events.close()
    assert b"".join(wire) == encode_event("text", '{"text": "ab"}') * 400


def test_tool_details_are_sent_only_if_they_are_requested(written):
    events = SseWriter(written, silence_s=60, tool_details=True)
    use = {"toolUseId": "1", "name": "clock", "input": {"timezone": "UTC"}}
    content = [{"text": "Noon"}, {"json": {"hour": 12}}, {"image": {"format": "png"}}]
    result = {"toolUseId": "1", "status": "success", "content": content}
    events.on_event(message={"role": "assistant", "content": [{"toolUse": use}]})
    events.on_event(message={"role": "user", "content": [{"toolResult": result}]})
    events.close()
    assert written.events == [
        ("tool", {"name": "clock", "state": "started", "id": "1", "input": {"timezone": "UTC"}}),
        ("tool", {"name": "clock", "state": "finished", "id": "1", "output": 'Noon\n{"hour": 12}\n[image]'}),
    ]


def test_a_long_tool_result_is_shortened(written):
    events = SseWriter(written, silence_s=60, tool_details=True)
    result = {"toolUseId": "1", "status": "success", "content": [{"text": "a" * (LONGEST_OUTPUT + 1)}]}
    events.on_event(message={"role": "user", "content": [{"toolResult": result}]})
    events.close()
    [(_, event)] = written.events
    assert event["output"] == "a" * LONGEST_OUTPUT + "…"
