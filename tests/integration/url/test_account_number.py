"""With an application inference profile as model: nothing that leaves the function has the account number."""

import json

from tools.local.fakes.langfuse_server import FakeLangfuse

ACCOUNT = "482915730641"
PROFILE = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:application-inference-profile/abc123"
DENIED = "123456789012"
"""The account in the fake's denials."""

QUERIES = (
    "What is 2+2?",
    "[[deny_role]]",
    "[[deny_organization]]",
    "[[throttle 2]] Hello",
    "[[invalid]]",
    "[[empty]]",
)


def test_neither_responses_nor_traces_have_the_account_number(serve, bedrock):
    with FakeLangfuse() as langfuse:
        environment = {
            "BEDROCK_MODEL_ID": PROFILE,
            "FALLBACK_MODEL_ID": PROFILE.replace("abc123", "def456"),
            "LANGFUSE_PUBLIC_KEY": langfuse.public_key,
            "LANGFUSE_SECRET_KEY": langfuse.secret_key,
            "LANGFUSE_HOST": langfuse.url,
        }
        with serve(bedrock_url=bedrock.url, environment=environment) as served:
            responses = [
                served.post(query, accept=accept).read()
                for query in QUERIES
                for accept in ("application/json", "text/event-stream")
            ]
            served.environments.drain()
        sent = [(export.path, dict(export.headers), export.spans) for export in langfuse.exports]
        traces = langfuse.traces()
    assert bedrock.requests[-1]["modelId"] == PROFILE, "Bedrock itself gets the ARN"
    assert len(traces) == len(responses)
    for number in (ACCOUNT, DENIED):
        assert number not in repr(sent)
        assert number.encode() not in b"".join(responses)
    models = {span.attributes.get("gen_ai.request.model") for trace in traces for span in trace.named("chat")}
    assert models == {"application-inference-profile/abc123", "application-inference-profile/def456"}
    assert json.loads(responses[0])["model_id"] == "application-inference-profile/abc123"
