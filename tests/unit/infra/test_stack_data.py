"""What the stack stores: conversations, logs, and the record of its options."""

import json
from dataclasses import fields

import pytest

from infra.options import Options
from tests.unit.infra.template import allowed_of, function_of, one, statements_of


def test_sessions_are_private_encrypted_and_expire(synthesize) -> None:
    template = synthesize({"sessions": "true"})
    bucket = one(template, "AWS::S3::Bucket")

    assert all(bucket["PublicAccessBlockConfiguration"].values())
    assert bucket["BucketEncryption"]
    assert any(rule.get("ExpirationInDays") for rule in bucket["LifecycleConfiguration"]["Rules"])
    assert "aws:SecureTransport" in json.dumps(one(template, "AWS::S3::BucketPolicy"))
    assert "SESSION_BUCKET" in function_of(template)["Environment"]["Variables"]
    assert {one for one in allowed_of(template) if one.startswith("s3:")} == {
        "s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject",
    }  # fmt: skip


def test_destroy_leaves_nothing_without_retain(synthesize, variant) -> None:
    if variant.get("retain"):
        pytest.skip("its logs and conversations are kept")
    kept = [
        name
        for name, one in synthesize(variant)["Resources"].items()
        if one.get("DeletionPolicy", "Delete") != "Delete" and one["Type"] != "AWS::Lambda::Version"
    ]

    assert kept == []


def test_a_template_records_its_options_and_its_agent(synthesize) -> None:
    recorded = synthesize({"auth": "iam", "cors_origins": "https://app.example.com"})["Metadata"][
        "TracedAgent"
    ]

    assert recorded["agent"] == "handler"
    assert recorded["default_secret"] == "strands-langfuse-lambda/langfuse"
    assert recorded["options"]["auth"] == "iam"
    assert recorded["options"]["cors_origins"] == ["https://app.example.com"]
    assert set(recorded["options"]) == {key.name for key in fields(Options) if key.default is not None}


def test_another_stack_name_changes_every_name_that_is_derived_from_it(assembly, synthesize) -> None:
    out = assembly({"stack_name": "support-prod"})
    template = synthesize({"stack_name": "support-prod"})

    assert [path.name for path in out.glob("*.template.json")] == ["support-prod.template.json"]
    assert template["Metadata"]["TracedAgent"]["default_secret"] == "support-prod/langfuse"
    assert Options().stack_name not in json.dumps({**template, "Metadata": {}})


def test_retain_keeps_logs_and_conversations_and_protects_the_stack(assembly, synthesize) -> None:
    context = {"retain": "true", "sessions": "true"}
    kept = {
        one["Type"]
        for one in synthesize(context)["Resources"].values()
        if one.get("DeletionPolicy") == "Retain" and one["Type"] != "AWS::Lambda::Version"
    }
    manifest = json.loads((assembly(context) / "manifest.json").read_text())

    assert kept == {"AWS::Logs::LogGroup", "AWS::S3::Bucket"}
    assert manifest["artifacts"]["strands-langfuse-lambda"]["properties"]["terminationProtection"] is True


def test_a_kms_key_encrypts_all_stored_data_and_the_role_can_use_it(synthesize) -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f"
    template = synthesize({"kms_key": key, "sessions": "true", "alarm_email": "on-call@example.com"})
    bucket = one(template, "AWS::S3::Bucket")["BucketEncryption"]["ServerSideEncryptionConfiguration"][0]

    assert function_of(template)["KmsKeyArn"] == key
    assert one(template, "AWS::Logs::LogGroup")["KmsKeyId"] == key
    assert one(template, "AWS::SNS::Topic")["KmsMasterKeyId"] == key
    assert bucket["ServerSideEncryptionByDefault"] == {"KMSMasterKeyID": key, "SSEAlgorithm": "aws:kms"}
    (statement,) = (one for one in statements_of(template) if "kms:Decrypt" in one["Action"])
    assert statement["Resource"] == key
