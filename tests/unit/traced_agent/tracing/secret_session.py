"""A fake boto3 session whose Secrets Manager has one secret."""

import json

from botocore.exceptions import ClientError

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:langfuse-AbCdEf"


class Session:
    """A boto3 session: its Secrets Manager returns each value in turn, or raises it."""

    def __init__(self, *values):
        self.values = list(values)
        self.requests = []

    def __call__(self):
        return self

    def client(self, service, region_name=None, config=None):
        self.requests.append((service, region_name))
        return self

    def get_secret_value(self, SecretId):  # noqa: N803 - boto3's
        value = self.values.pop(0) if len(self.values) > 1 else self.values[0]
        if isinstance(value, BaseException):
            raise value
        return {"SecretString": value}


def refused(code, status=400):
    response = {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "GetSecretValue")


def keys(public_key, secret_key):
    return json.dumps({"LANGFUSE_PUBLIC_KEY": public_key, "LANGFUSE_SECRET_KEY": secret_key})
