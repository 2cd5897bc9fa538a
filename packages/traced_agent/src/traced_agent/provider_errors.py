"""Errors of model providers other than Bedrock, recognised without an import of their packages.

The SDKs of OpenAI and Anthropic, LiteLLM, Mistral and others raise exceptions with `status_code`. When the
server cannot be reached, they raise exceptions of their own, of httpx, or the built-in ones.
"""

import os
import re
from collections.abc import Iterator
from typing import Any

from strands.types.exceptions import ContextWindowOverflowException

from traced_agent.errors import ApiError

_PACKAGES = (
    "openai", "anthropic", "litellm", "ollama", "mistralai", "google", "writerai", "llama_api_client",
    "httpx", "httpx2", "httpcore", "requests", "aiohttp",
)  # fmt: skip

_UNREACHABLE = re.compile(r"Connect|Timeout|Transport|Network|Protocol|ReadError|WriteError")
_RETRY_AFTER_S = (5, 15)
"""The least and the most, if the provider names no time; random, so that clients do not return at once."""


def to_api_error(error: BaseException, model_id: str) -> ApiError | None:
    """Map an exception of a provider to an API error; None if it is not one.

    Args:
        error: what ended the run.
        model_id: the model's id, as callers see it.
    """
    if isinstance(error, (ApiError, ContextWindowOverflowException)):
        return None
    for one in _chain(error):
        if _package(one) == "botocore":
            return None
        if _package(one) in _PACKAGES or isinstance(one, (ConnectionError, TimeoutError)):
            return _from_provider(one, model_id)
    return None


def _from_provider(error: BaseException, model_id: str) -> ApiError:
    if isinstance(status := _status(error), int):
        return _from_status(error, status, model_id)
    kinds = type(error).__mro__
    if ConnectionError in kinds or any(_UNREACHABLE.search(kind.__name__) for kind in kinds):
        return _unreachable(model_id)
    return ApiError(
        "model_error",
        f"The client of the provider of {model_id} failed ({type(error).__name__}): check the model's "
        "settings; the function's log has the reason under this run_id",
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and its causes: Strands wraps some of the provider's exceptions."""
    found: BaseException | None = error
    for _ in range(5):
        if found is None:
            return
        yield found
        found = found.__cause__


def _package(error: BaseException) -> str:
    return type(error).__module__.partition(".")[0]


def _status(error: BaseException) -> Any:
    response = getattr(error, "response", None)
    return getattr(error, "status_code", None) or getattr(response, "status_code", None)


def _unreachable(model_id: str) -> ApiError:
    return ApiError(
        "model_error",
        f"The provider of {model_id} cannot be reached, or did not answer: check its address and the network",
    )


def _from_status(error: BaseException, status: int, model_id: str) -> ApiError:
    if status in (401, 403):
        return ApiError(
            "model_access_denied",
            f"The provider rejected the key for {model_id} ({status}): check the key in the secret, and "
            "what the key may use",
        )
    if status == 429:
        return ApiError(
            "model_throttled",
            f"The provider throttles {model_id}: send the query again later, or ask for a higher limit",
            headers={"retry-after": _retry_after(error)},
        )
    if status == 404:
        return ApiError(
            "model_error", f"The provider does not know {model_id} (404): check the model id and the address"
        )
    if status < 500 and status != 408:
        return ApiError(
            "model_error",
            f"The provider rejected the request to {model_id} ({status}): check the model's settings",
        )
    return ApiError("model_error", f"The provider of {model_id} failed ({status}): send the query again")


def _retry_after(error: BaseException) -> str:
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    named = str(headers.get("retry-after", ""))
    if re.fullmatch(r"\d{1,4}", named):
        return named
    least, most = _RETRY_AFTER_S
    return str(least + os.urandom(1)[0] % (most - least + 1))
