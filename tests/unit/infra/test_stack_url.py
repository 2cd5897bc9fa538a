"""The Function URL: authentication, aliases, streaming and CORS."""

from typing import Any

import pytest

from tests.unit.infra.template import function_of, one, resources
from traced_agent.settings import Settings


def _principal(of: Any) -> Any:
    """The account of `arn:<partition>:iam::<account>:root`, or the value if it is no such ARN."""
    return of["Fn::Join"][1][3] if isinstance(of, dict) and "Fn::Join" in of else of


@pytest.mark.parametrize("snapstart", ["true", "false"])
@pytest.mark.parametrize(
    ("auth", "auth_type", "principal"), [("none", "NONE", "*"), ("iam", "AWS_IAM", {"Ref": "AWS::AccountId"})]
)
def test_the_url_and_its_pair_of_permissions(synthesize, auth, auth_type, principal, snapstart) -> None:
    template = synthesize({"auth": auth, "snapstart": snapstart})
    url = one(template, "AWS::Lambda::Url")
    permissions = {one["Action"]: one for one in resources(template, "AWS::Lambda::Permission")}

    assert url["AuthType"] == auth_type
    assert set(permissions) == {"lambda:InvokeFunctionUrl", "lambda:InvokeFunction"}
    assert permissions["lambda:InvokeFunctionUrl"]["FunctionUrlAuthType"] == auth_type
    assert permissions["lambda:InvokeFunction"]["InvokedViaFunctionUrl"] is True
    assert all(principal == _principal(one["Principal"]) for one in permissions.values())


def test_with_snapstart_the_url_and_its_permissions_belong_to_an_alias(synthesize) -> None:
    template = synthesize({"snapstart": "true"})
    (alias,) = (name for name, one in template["Resources"].items() if one["Type"] == "AWS::Lambda::Alias")

    assert function_of(template)["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    assert one(template, "AWS::Lambda::Url")["Qualifier"]
    assert all(
        one["FunctionName"] == {"Ref": alias} for one in resources(template, "AWS::Lambda::Permission")
    )


def test_streaming_and_its_variable_go_together(synthesize) -> None:
    for streaming, mode in (("true", "RESPONSE_STREAM"), ("false", "BUFFERED")):
        template = synthesize({"streaming": streaming})
        settings = Settings.from_env(function_of(template)["Environment"]["Variables"])

        assert one(template, "AWS::Lambda::Url")["InvokeMode"] == mode
        assert settings.streaming is (mode == "RESPONSE_STREAM")


def test_the_function_url_answers_cors(synthesize) -> None:
    template = synthesize({"cors_origins": "https://app.example.com,http://localhost:3000"})
    cors = one(template, "AWS::Lambda::Url")["Cors"]

    assert cors["AllowOrigins"] == ["https://app.example.com", "http://localhost:3000"]
    assert {"content-type", "authorization"} <= set(cors["AllowHeaders"])
    assert "Cors" not in one(synthesize(), "AWS::Lambda::Url")


def test_a_browser_that_signs_can_send_its_signature(synthesize) -> None:
    origin = {"cors_origins": "https://app.example.com"}
    signature = {"x-amz-date", "x-amz-security-token", "x-amz-content-sha256"}

    signed = one(synthesize({"auth": "iam", **origin}), "AWS::Lambda::Url")["Cors"]["AllowHeaders"]
    public = one(synthesize(origin), "AWS::Lambda::Url")["Cors"]["AllowHeaders"]
    assert signature <= set(signed)
    assert not signature & set(public)


@pytest.mark.parametrize(("auth", "expected"), [("none", True), ("iam", False)])
def test_a_url_without_authentication_gives_a_warning(assembly, auth: str, expected: bool) -> None:
    out = assembly({"auth": auth})
    warned = "".join(path.read_text() for path in out.glob("*.json") if "template" not in path.name)

    assert ("Anyone who has the URL can call the function" in warned) is expected


def test_switching_snapstart_gives_a_warning(assembly) -> None:
    def warned(context: dict[str, str]) -> str:
        return (assembly(context) / "strands-langfuse-lambda.metadata.json").read_text()

    assert "replaces the Function URL" in warned({"snapstart": "true"})
    assert "replaces the Function URL" not in warned({"auth": "iam"})


@pytest.mark.parametrize("snapstart", ["true", "false"])
def test_an_asynchronous_invocation_is_not_repeated(synthesize, snapstart: str) -> None:
    configs = resources(synthesize({"snapstart": snapstart}), "AWS::Lambda::EventInvokeConfig")

    assert {config["MaximumRetryAttempts"] for config in configs} == {0}
    assert len(configs) == (2 if snapstart == "true" else 1)
