"""What can go wrong, in the contract's words: here, and nowhere else, an exception becomes an error."""

import re
from collections.abc import Mapping

from botocore.eventstream import ParserError
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
)
from strands.types.exceptions import (
    ContextWindowOverflowException,
    EventLoopException,
    ModelThrottledException,
)
from urllib3.exceptions import HTTPError

from traced_agent.worker_threads import DeadlineExceeded

STATUS = {
    "invalid_json": 400,
    "invalid_request": 400,
    "unauthorized": 401,
    "not_found": 404,
    "method_not_allowed": 405,
    "session_busy": 409,
    "session_full": 409,
    "too_large": 413,
    "unsupported_media_type": 415,
    "model_throttled": 429,
    "internal_error": 500,
    "model_error": 502,
    "model_access_denied": 502,
    "deadline_exceeded": 504,
}
"""The HTTP status of each error code."""

_RETRY_AFTER_S = 5


class ApiError(Exception):
    """The request ends in one of the contract's errors: its code, and a message that says what to do."""

    def __init__(
        self, code: str, message: str, *, field: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.headers = headers or {}

    @property
    def status(self) -> int:
        """The HTTP status."""
        return STATUS[self.code]


_ERROR_MAP: tuple[tuple[tuple[type[BaseException], ...], str, str], ...] = (
    (
        (DeadlineExceeded,),
        "deadline_exceeded",
        "The agent was not done in the function's time: ask for less, or give the function a longer timeout",
    ),
    (
        (ContextWindowOverflowException,),
        "invalid_request",
        "The conversation is longer than the model can read: ask for less, or start another session",
    ),
    (
        (NoCredentialsError, PartialCredentialsError),
        "model_access_denied",
        "The function has no AWS credentials: give it a role, or log in",
    ),
    (
        (EndpointConnectionError,),
        "model_error",
        "Bedrock in {region} cannot be reached: check BEDROCK_REGION and the network",
    ),
    (
        (BotoCoreError, HTTPError, ParserError),
        "model_error",
        "Bedrock in {region} did not answer, or broke off: send the query again",
    ),
    (
        (Exception,),
        "internal_error",
        "The function failed: its log says why, under this run_id",
    ),
)
"""What is told of an exception: the first that fits."""


def to_api_error(error: Exception, model_id: str, region: str) -> ApiError:
    """What the caller is told of an exception; what is not foreseen stays inside."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, EventLoopException):
        return to_api_error(error.original_exception, model_id, region)
    if isinstance(error, ModelThrottledException):
        return _throttled(model_id, region)
    if isinstance(error, ClientError) and error.operation_name.startswith("Converse"):
        return _refused(error, model_id, region)
    code, message = next((code, message) for kinds, code, message in _ERROR_MAP if isinstance(error, kinds))
    return ApiError(code, message.format(region=region))


def _throttled(model_id: str, region: str) -> ApiError:
    return ApiError(
        "model_throttled",
        f"Bedrock in {region} throttles {model_id}: send the query again later, "
        "or ask for a higher quota in the Service Quotas console",
        headers={"retry-after": str(_RETRY_AFTER_S)},
    )


_THROTTLES = ("ThrottlingException", "ServiceQuotaExceededException", "ModelNotReadyException")
_CREDENTIALS = (
    "ExpiredTokenException",
    "ExpiredToken",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "IncompleteSignatureException",
    "MissingAuthenticationTokenException",
)


def _refused(error: ClientError, model_id: str, region: str) -> ApiError:
    """Bedrock's own errors. Source: the Errors section of ConverseStream in the Bedrock API reference."""
    code, said = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    if code in _THROTTLES:
        return _throttled(model_id, region)
    if code in _CREDENTIALS:
        return ApiError("model_access_denied", f"AWS refused the function's credentials ({code}): renew them")
    if code == "AccessDeniedException" or "use case details" in said:
        return ApiError("model_access_denied", _to_grant(said, model_id, region))
    if "on-demand throughput" in said:
        what = f"{model_id} needs an inference profile: set BEDROCK_MODEL_ID to one of {region}"
    elif code in ("ValidationException", "ResourceNotFoundException"):
        what = (
            f"Bedrock in {region} refused the request: check BEDROCK_MODEL_ID={model_id} and BEDROCK_REGION"
        )
    else:
        what = f"Bedrock in {region} failed ({code}): send the query again"
    return ApiError("model_error", what)


_UNAUTHORIZED = re.compile(r"not authorized to perform: (?P<action>[\w:]+) on resource: (?P<arn>[^\s,]+)")


def _to_grant(said: str, model_id: str, region: str) -> str:
    """What to do about a denial: a statement for the role, or a form in the console; no account's number."""
    if missing := _UNAUTHORIZED.search(said):
        arn = re.sub(r":\d{12}:", ":*:", missing["arn"])
        return f"The function's role may not invoke {model_id}: allow it {missing['action']} on {arn} in IAM"
    return (
        f"This account has no access to {model_id}: enable it under Model access in the Bedrock console of "
        f"{region}, with the use case details that its provider asks for, and allow the function's role "
        "bedrock:InvokeModel and bedrock:InvokeModelWithResponseStream on it"
    )
