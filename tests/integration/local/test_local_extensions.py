"""Extensions and streamed responses behave as Lambda documents them."""

import json
import time

from tests.integration.local.small_functions import EXTENSION, STREAM, answer, ask


def test_an_extension_continues_after_the_answer_until_the_freeze(run):
    code = (
        EXTENSION
        + """
done = []
def extension(identifier):
    while True:
        _, _, event = call("GET", "/event/next", {"Lambda-Extension-Identifier": identifier})
        time.sleep(0.5)
        done.append(event["requestId"])
status, headers, about = register("mine", ["INVOKE"])
assert (status, about["functionName"]) == (200, "agent")
threading.Thread(target=extension, args=[headers["Lambda-Extension-Identifier"]], daemon=True).start()
def handler(event, context):
    return done
"""
    )
    environments = run(code)
    first = ask(environments)
    began = time.monotonic()
    assert json.loads(first.payload) == []
    assert time.monotonic() - began < 0.4
    time.sleep(1)
    assert answer(environments) == [first.request_id]


def test_the_extensions_api_rejects_what_aws_rejects(run):
    code = (
        EXTENSION
        + """
refused = [register("a", ["SHUTDOWN"])[::2], register("", [])[::2], call("GET", "/event/next", {})[::2]]
refused.append(call("GET", "/event/next", {"Lambda-Extension-Identifier": "other"})[::2])
def handler(event, context):
    return [*refused, register("late", ["INVOKE"])[::2]]
"""
    )
    refused = answer(run(code))
    assert [status for status, _ in refused] == [403] * 5
    assert [body["errorType"] for _, body in refused] == [
        "Extension.InvalidEventType",
        "Extension.InvalidExtensionName",
        "Extension.MissingExtensionIdentifier",
        "Extension.UnknownExtensionIdentifier",
        "Extension.RegistrationClosed",
    ]


def test_an_extension_that_never_asks_again_ends_the_environment_after_the_answer(run):
    code = (
        EXTENSION
        + """
def extension(identifier):
    call("GET", "/event/next", {"Lambda-Extension-Identifier": identifier})
    time.sleep(60)
identifier = register("mine", ["INVOKE"])[1]["Lambda-Extension-Identifier"]
threading.Thread(target=extension, args=[identifier], daemon=True).start()
def handler(event, context):
    return "answered"
"""
    )
    environments = run(code, timeout_s=1)
    assert answer(environments) == "answered"
    assert answer(environments) == "answered"
    time.sleep(1.5)
    assert any("Status: timeout" in line for line in environments.lines)
    assert answer(environments) == "answered"


def test_a_streamed_response_arrives_while_it_is_written(run):
    environments = run(STREAM)
    began = time.monotonic()
    invocation = ask(environments, {"words": ["a", "b", "c"], "pause": 0.5})
    chunks = [(chunk, time.monotonic() - began) for chunk in invocation.chunks()]
    assert [chunk for chunk, _ in chunks] == [b"a", b"b", b"c"]
    assert chunks[1][1] - chunks[0][1] > 0.3
    assert (invocation.streamed, invocation.content_type, invocation.error) == (True, "text/plain", None)


def test_an_error_in_the_trailers_ends_the_stream_with_it(run):
    trailers = {
        "Lambda-Runtime-Function-Error-Type": "Model.Broke",
        "Lambda-Runtime-Function-Error-Body": "eyJ9",
    }
    invocation = ask(run(STREAM), {"words": ["half"], "trailers": trailers})
    assert invocation.payload == b"half"
    assert invocation.error == {"errorType": "Model.Broke", "errorMessage": "eyJ9"}


def test_a_crash_in_the_middle_truncates_the_stream(run):
    environments = run(STREAM)
    invocation = ask(environments, {"words": ["half"], "crash": True})
    assert invocation.payload == b"half"
    assert invocation.error
    assert ask(environments, {"words": ["whole"]}).payload == b"whole"


def test_a_mode_that_is_not_streaming_is_rejected(run):
    error = ask(run(STREAM), {"mode": "other", "words": []}).error
    assert error["errorType"] == "Runtime.InvalidResponseModeHeader"
