"""One session for all, and botocore's own answers from it."""

import json
from pathlib import Path

import boto3
import botocore.loaders
import pytest
from botocore.exceptions import UnknownServiceError

from traced_agent.aws import boto3_session


@pytest.fixture
def session(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    boto3_session.shared_session.cache_clear()
    yield boto3_session.shared_session("eu-west-1")
    boto3_session.shared_session.cache_clear()


def test_there_is_one_session(session):
    assert boto3_session.shared_session("eu-west-1") is session


@pytest.mark.parametrize("service", ["bedrock-runtime", "secretsmanager", "s3", "dynamodb"])
def test_clients_are_those_that_boto3_makes(session, service):
    ours = session.client(service)
    theirs = boto3.Session(region_name="eu-west-1").client(service)
    assert ours.meta.endpoint_url == theirs.meta.endpoint_url
    assert ours.meta.service_model.api_version == theirs.meta.service_model.api_version
    assert ours.meta.method_to_api_mapping == theirs.meta.method_to_api_mapping
    for operation in ours.meta.service_model.operation_names:
        model = ours.meta.service_model.operation_model(operation)
        same = theirs.meta.service_model.operation_model(operation)
        assert (model.http, model.metadata) == (same.http, same.metadata)
        assert _members(model.input_shape) == _members(same.input_shape)


def _members(shape):
    return shape and list(shape.members)


@pytest.mark.parametrize(
    "name",
    [
        "endpoints",
        "partitions",
        "sdk-default-configuration",
        "_retry",
        "bedrock-runtime/2023-09-30/service-2",
        "bedrock-runtime/2023-09-30/endpoint-rule-set-1",
        "s3/2006-03-01/service-2",
        "secretsmanager/2017-10-17/service-2",
        "no-such-file",
    ],
)
def test_data_is_read_as_botocore_reads_it_order_and_all(name):
    root = Path(botocore.loaders.__file__).parent / "data" / name
    ours, theirs = (
        boto3_session.PlainJsonLoader().load_file(str(root)),
        botocore.loaders.JSONFileLoader().load_file(str(root)),
    )
    assert json.dumps(ours) == json.dumps(theirs)


def test_an_unknown_service_is_rejected_with_the_known_ones(session):
    with pytest.raises(UnknownServiceError, match=r"dynamodb.*sqs"):
        session.client("no-such-service")


@pytest.mark.parametrize("type_name", ["service-2", "paginators-1", "no-such-type"])
def test_the_list_of_services_is_botocores(type_name):
    assert list(boto3_session.SingleServiceLoader().list_available_services(type_name)) == (
        botocore.loaders.Loader().list_available_services(type_name)
    )


def test_a_data_path_of_the_user_is_read_by_botocore(monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    boto3_session.shared_session.cache_clear()
    loader = boto3_session.shared_session("eu-west-1")._session.get_component("data_loader")
    boto3_session.shared_session.cache_clear()
    assert str(tmp_path) in loader.search_paths
