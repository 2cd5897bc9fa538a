"""The resources that each kind of model id needs."""

import pytest

from infra.bedrock_access import GEOGRAPHIES, Access, accesses

HERE = {"partition": "aws", "region": "us-east-1", "account": "123456789012"}
PROFILES = "arn:aws:bedrock:us-east-1:123456789012:inference-profile"
CLAUDE = "anthropic.claude-sonnet-4-6"
APPLICATION = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3"


def _model(region: str, model: str = CLAUDE) -> str:
    return f"arn:aws:bedrock:{region}::foundation-model/{model}"


@pytest.mark.parametrize("model", ["amazon.nova-lite-v1:0", _model("us-east-1", "amazon.nova-lite-v1:0")])
def test_a_foundation_model_is_all_it_needs(model: str) -> None:
    assert accesses(model, **HERE) == (Access((_model("us-east-1", "amazon.nova-lite-v1:0"),)),)


@pytest.mark.parametrize("geography", GEOGRAPHIES)
def test_a_profile_needs_itself_and_through_itself_its_destinations(geography: str) -> None:
    profile = f"{PROFILES}/{geography}.{CLAUDE}"

    assert accesses(f"{geography}.{CLAUDE}", **HERE) == (
        Access((profile,)),
        Access(tuple(_model(region) for region in GEOGRAPHIES[geography]), through=profile),
    )


def test_a_us_profile_never_leaves_the_united_states() -> None:
    _, destinations = accesses(f"us.{CLAUDE}", **HERE)

    assert {resource.split(":")[3] for resource in destinations.resources} == {
        "us-east-1", "us-east-2", "us-west-1", "us-west-2",
    }  # fmt: skip


def test_a_global_profile_needs_the_model_everywhere_and_without_a_region() -> None:
    profile = f"{PROFILES}/global.{CLAUDE}"

    assert accesses(f"global.{CLAUDE}", **HERE) == (
        Access((profile,)),
        Access((_model(""), _model("*")), through=profile),
    )


def test_a_profile_by_arn_is_the_profile_by_name() -> None:
    assert accesses(f"{PROFILES}/us.{CLAUDE}", **HERE) == accesses(f"us.{CLAUDE}", **HERE)


def test_an_application_inference_profile_allows_other_models_through_itself_only() -> None:
    assert accesses(APPLICATION, **HERE) == (
        Access((APPLICATION,)),
        Access((_model("*", "*"),), through=APPLICATION),
    )


@pytest.mark.parametrize("kind", ["provisioned-model", "imported-model", "custom-model-deployment"])
def test_a_resource_of_the_account_needs_only_its_own_arn(kind: str) -> None:
    arn = f"arn:aws:bedrock:us-east-1:123456789012:{kind}/a1b2c3"

    assert accesses(arn, **HERE) == (Access((arn,)),)
