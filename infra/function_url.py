"""The Function URL, and who can call it."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

HEADERS = [
    "accept",
    "authorization",
    "content-type",
    "x-amzn-bedrock-agentcore-runtime-session-id",
    "traceparent",
]


SIGNATURE_HEADERS = ["x-amz-content-sha256", "x-amz-date", "x-amz-security-token"]
"""What a browser sends in addition when it signs a request (SigV4)."""


class FunctionUrl(Construct):
    """An HTTPS address for a function or an alias, for everyone or for signed calls from the account.

    Both need a pair of permissions, `lambda:InvokeFunctionUrl` and `lambda:InvokeFunction` through
    the URL: see "Control access to Lambda function URLs" in the AWS Lambda developer guide.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        target: lambda_.IFunction,
        auth: str,
        cors_origins: Sequence[str],
        streaming: bool,
    ) -> None:
        super().__init__(scope, construct_id)
        auth_type = lambda_.FunctionUrlAuthType.AWS_IAM if auth == "iam" else lambda_.FunctionUrlAuthType.NONE
        self.url = lambda_.FunctionUrl(
            self,
            "Url",
            function=target,
            auth_type=auth_type,
            invoke_mode=lambda_.InvokeMode.RESPONSE_STREAM if streaming else lambda_.InvokeMode.BUFFERED,
            cors=_cors(cors_origins, signed=auth == "iam"),
        ).url
        if auth == "iam":  # with auth none, the CDK's own construct adds the pair for everyone
            self._allow_account(target)

    def _allow_account(self, target: lambda_.IFunction) -> None:
        account = iam.AccountPrincipal(cdk.Aws.ACCOUNT_ID)
        target.add_permission(
            "InvokeFunctionUrl",
            principal=account,
            action="lambda:InvokeFunctionUrl",
            function_url_auth_type=lambda_.FunctionUrlAuthType.AWS_IAM,
        )
        target.add_permission(
            "InvokeFunction", principal=account, action="lambda:InvokeFunction", invoked_via_function_url=True
        )


def _cors(origins: Sequence[str], *, signed: bool) -> lambda_.FunctionUrlCorsOptions | None:
    if not origins:
        return None
    return lambda_.FunctionUrlCorsOptions(
        allowed_origins=list(origins),
        allowed_methods=[lambda_.HttpMethod.GET, lambda_.HttpMethod.POST],
        allowed_headers=HEADERS + (SIGNATURE_HEADERS if signed else []),
        exposed_headers=["retry-after", "x-response-mode"],
        max_age=cdk.Duration.hours(1),
    )
