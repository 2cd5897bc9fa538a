"""Maps each exception of a run to the API error that the caller gets."""

import os

from botocore.eventstream import ParserError
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
    InvalidRegionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    UnknownEndpointError,
)
from botocore.parsers import ResponseParserError
from strands.types.exceptions import (
    ContextWindowOverflowException,
    EventLoopException,
    ModelThrottledException,
)
from urllib3.exceptions import HTTPError, LocationValueError

from traced_agent import bedrock_denials
from traced_agent.errors import ApiError
from traced_agent.model_stream import IncompleteModelResponse
from traced_agent.worker_threads import DeadlineExceeded

_RETRY_AFTER_S = (5, 15)
"""The least and the most; random between them, so that clients do not all come back at once."""

_ERRORS: tuple[tuple[tuple[type[BaseException], ...], str, str], ...] = (
    (
        (DeadlineExceeded,),
        "deadline_exceeded",
        "The agent did not finish in time: ask for less, or give the function a longer timeout",
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
        (ConnectionError, HTTPClientError, IncompleteReadError, ResponseParserError, HTTPError, ParserError),
        "model_error",
        "Bedrock in {region} did not answer, or broke off: send the query again",
    ),
    (
        (IncompleteModelResponse,),
        "model_error",
        "The model's answer is incomplete, {error}: send the query again",
    ),
    (
        (ParamValidationError,),
        "model_error",
        (
            "The agent made a request that Bedrock does not accept, and it was not sent: check the model's "
            "settings and the tools; the function's log has the reason under this run_id"
        ),
    ),
    (
        (InvalidRegionError, NoRegionError, UnknownEndpointError),
        "model_error",
        (
            "There is no Bedrock endpoint for region {region}: check BEDROCK_REGION and "
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"
        ),
    ),
    (
        (BotoCoreError,),
        "model_error",
        (
            "The AWS SDK could not send the request to Bedrock ({kind}): check the function's settings; "
            "its log has the reason under this run_id"
        ),
    ),
    (
        (Exception,),
        "internal_error",
        "The function failed: its log has the reason under this run_id",
    ),
)
"""Exception types, error code and message; the first match is used."""

_THROTTLES = ("ThrottlingException", "ServiceQuotaExceededException", "ModelNotReadyException")
_INVALID_CREDENTIALS = (
    "ExpiredTokenException",
    "ExpiredToken",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "IncompleteSignatureException",
    "MissingAuthenticationTokenException",
)


def to_api_error(error: Exception, model_id: str, region: str) -> ApiError:
    """Map an exception to an API error; an unexpected one becomes `internal_error` without details.

    Args:
        error: what ended the run.
        model_id: the model's id as callers may see it, without an account number.
        region: Bedrock's region.
    """
    if isinstance(error, ApiError):
        return error
    if isinstance(error, EventLoopException):
        return to_api_error(error.original_exception, model_id, region)
    if isinstance(error, ModelThrottledException):
        return _throttled(model_id, region)
    if isinstance(error, HTTPClientError) and isinstance(error.kwargs.get("error"), LocationValueError):
        error = UnknownEndpointError(service_name="bedrock-runtime", region_name=region)
    if isinstance(error, ClientError) and error.operation_name.startswith("Converse"):
        return _from_bedrock(error, model_id, region)
    code, message = next((code, message) for types, code, message in _ERRORS if isinstance(error, types))
    return ApiError(code, message.format(region=region, kind=type(error).__name__, error=error))


def _throttled(model_id: str, region: str) -> ApiError:
    least, most = _RETRY_AFTER_S
    return ApiError(
        "model_throttled",
        f"Bedrock in {region} throttles {model_id}: send the query again later, "
        "or ask for a higher quota in the Service Quotas console",
        headers={"retry-after": str(least + os.urandom(1)[0] % (most - least + 1))},
    )


def _from_bedrock(error: ClientError, model_id: str, region: str) -> ApiError:
    """Bedrock's own errors. Source: the Errors section of ConverseStream in the Bedrock API reference.

    In a stream the names of the same errors begin with a small letter.
    """
    details = error.response["Error"]
    code, text = details["Code"][:1].upper() + details["Code"][1:], details.get("Message", "")
    if code in _THROTTLES:
        return _throttled(model_id, region)
    if code in _INVALID_CREDENTIALS:
        return ApiError(
            "model_access_denied", f"AWS rejected the function's credentials ({code}): renew them"
        )
    if code == "AccessDeniedException" or bedrock_denials.names_a_denial(text):
        return ApiError("model_access_denied", bedrock_denials.remedy(text, model_id, region))
    if code in ("ValidationException", "ResourceNotFoundException"):
        return ApiError("model_error", bedrock_denials.rejection(text, model_id, region))
    return ApiError("model_error", f"Bedrock in {region} failed ({code}): send the query again")
