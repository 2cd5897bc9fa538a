import json
import re

import jsonschema
import pytest
from opentelemetry import trace

from traced_agent.http import openapi
from traced_agent.settings import Settings
from traced_agent.streaming.sse import SseWriter
from traced_agent.tracing.tracer import RunTracer


@pytest.fixture
def validator():
    settings = Settings(page=True, streaming=True, session_bucket="bucket")
    document = openapi.document(settings, feedback=True)
    return lambda name: jsonschema.Draft202012Validator({**document, "$ref": f"#/components/schemas/{name}"})


@pytest.fixture
def langfuse_tracer():
    return RunTracer(Settings(), trace.NoOpTracer(), lambda: None)


@pytest.mark.parametrize("page", [True, False])
@pytest.mark.parametrize("feedback", [True, False])
def test_the_document_has_every_route_and_no_other(calling, langfuse_tracer, page, feedback):
    called = calling(settings=Settings(page=page), tracing=langfuse_tracer if feedback else None)
    _, document, _ = called.post(None, method="GET", path="/openapi.json")
    assert {path: set(methods) for path, methods in document["paths"].items()} == {
        path: {method.lower() for method in methods} for path, methods in called.handler.routes.items()
    }


def test_the_document_is_served_as_standard_json(calling):
    status, body, headers = calling().post(None, method="GET", path="/openapi.json")
    assert (status, headers["content-type"]) == (200, "application/json")
    assert body == json.loads(json.dumps(openapi.document(Settings())))
    assert body["openapi"].startswith("3.1")


@pytest.mark.parametrize(
    "body",
    [
        {"query": "x"},
        {"prompt": "x", "session_id": "s", "user_id": None, "tags": ["t"], "metadata": {"k": "v"}},
        {"query": " "},
        {"query": "x", "prompt": "x"},
        {"query": 7},
        {"query": "x", "other": 1},
        {"query": "x", "session_id": "é"},
        {"query": "x", "tags": ["t"] * 11},
        {},
    ],
)
def test_the_document_accepts_what_the_function_accepts(calling, validator, body):
    assert validator("RunRequest").is_valid(body) == (calling().post(body)[0] == 200)


def test_answers_and_errors_are_as_documented(calling, validator):
    called = calling()
    validator("Answer").validate(called.post({"query": "x"})[1])
    validator("ErrorResponse").validate(called.post({"query": 7})[1])
    validator("ErrorResponse").validate(called.post({"query": "x"}, path="/nope")[1])
    validator("Health").validate(called.post(None, method="GET", path="/health")[1])


def test_feedback_and_its_response_are_as_documented(calling, langfuse_tracer, validator):
    body = {"trace_id": "0" * 32, "value": 1, "comment": "good"}
    validator("FeedbackRequest").validate(body)
    status, accepted, _ = calling(tracing=langfuse_tracer).post(body, path="/feedback")
    assert status == 202
    validator("Feedback").validate(accepted)
    for invalid in ({**body, "trace_id": "x"}, {**body, "value": 2}, {**body, "other": 1}):
        assert not validator("FeedbackRequest").is_valid(invalid)


def test_every_streamed_event_is_as_documented(validator):
    written = []
    events = SseWriter(written.append, tool_details=True)
    events.send("start", {"run_id": "1", "trace_id": None})
    events.on_event(data="Text")
    use = {"toolUseId": "t", "name": "clock", "input": {"zone": "UTC"}}
    result = {"toolUseId": "t", "status": "success", "content": [{"text": "noon"}]}
    for nested_agent in (None, "helper"):
        events.on_event(nested_agent=nested_agent, data="Text")
        events.on_event(nested_agent=nested_agent, message={"content": [{"toolUse": use}]})
        events.on_event(nested_agent=nested_agent, message={"content": [{"toolResult": result}]})
    events.send("reset", {"reason": "throttled"})
    events.close()
    names = set()
    for name, data in re.findall(r"event: (\w+)\ndata: (.*)\n\n", b"".join(written).decode()):
        validator(f"{name.title()}Event").validate(json.loads(data))
        names.add(name)
    assert names == {"start", "text", "tool", "agent", "reset"}


def test_a_demo_is_documented(calling, validator):
    body = {"action": "run_demo", "parameters": {"demo_type": "basic"}}
    validator("DemoRequest").validate(body)
    assert calling().post(body)[0] == 200


def test_no_name_in_the_document_is_private():
    assert not [
        name
        for name in openapi.document(Settings(page=True, streaming=True))["components"]["schemas"]
        if name.startswith("_")
    ]


def test_each_kind_of_request_has_a_complete_schema():
    schemas = openapi.document(Settings(session_bucket="bucket"))["components"]["schemas"]
    kinds = [kind["$ref"].rpartition("/")[2] for kind in schemas["RunRequest"]["oneOf"]]
    assert kinds == ["QueryRequest", "PromptRequest", "DemoRequest", "ResumeRequest"]
    for kind, field in zip(kinds, ("query", "prompt", "action", "interrupt_responses"), strict=True):
        assert schemas[kind]["required"] == [field]
        assert field in schemas[kind]["properties"]
        assert schemas[kind]["additionalProperties"] is False


def test_no_field_of_a_request_has_a_default_so_clients_may_leave_it_out():
    schemas = openapi.document(Settings(session_bucket="bucket"), feedback=True)["components"]["schemas"]
    kinds = (
        "QueryRequest",
        "PromptRequest",
        "DemoRequest",
        "DemoParameters",
        "ResumeRequest",
        "FeedbackRequest",
    )
    for kind in kinds:
        assert all("default" not in field for field in schemas[kind]["properties"].values())


@pytest.mark.parametrize(
    ("text", "valid"), [("x", True), (" x", True), (" ", False), ("", False), ("\n\ta", True)]
)
def test_the_pattern_of_a_query_gives_the_same_result_with_match_and_search(text, valid):
    pattern = openapi.document(Settings())["components"]["schemas"]["QueryRequest"]["properties"]["query"][
        "pattern"
    ]
    assert bool(re.match(pattern, text)) is bool(re.search(pattern, text)) is valid


@pytest.mark.parametrize("streaming", [True, False])
def test_event_streams_are_declared_only_if_the_url_streams(streaming):
    document = openapi.document(Settings(streaming=streaming))
    content = document["paths"]["/"]["post"]["responses"]["200"]["content"]
    assert list(content) == ["application/json", *(["text/event-stream"] if streaming else [])]
    assert ("TextEvent" in document["components"]["schemas"]) is streaming


@pytest.mark.parametrize(
    ("settings", "scheme", "status"),
    [
        (Settings(), None, None),
        (Settings(url_auth="iam"), "iam", "403"),
        (Settings(jwt_issuer="https://issuer.example.com", jwt_audience="a"), "jwt", "401"),
    ],
)
def test_the_auth_mode_gives_the_security_scheme_and_its_errors(settings, scheme, status):
    document = openapi.document(settings)
    assert list(document["components"].get("securitySchemes", {})) == ([scheme] if scheme else [])
    assert document["security"] == ([{scheme: []}] if scheme else [])
    responses = document["paths"]["/"]["post"]["responses"]
    assert {"401", "403"} & set(responses) == ({status} if status else set())


def test_the_errors_of_lambda_itself_are_declared():
    responses = openapi.document(Settings())["paths"]["/"]["post"]["responses"]
    for status in ("413", "429", "502"):
        schema = responses[status]["content"]["application/json"]["schema"]
        assert {"$ref": "#/components/schemas/LambdaError"} in schema["anyOf"]


def test_every_example_is_a_valid_request(calling):
    body = openapi.document(Settings())["paths"]["/"]["post"]["requestBody"]
    for example in body["content"]["application/json"]["examples"].values():
        assert calling().post(example["value"])[0] == 200
