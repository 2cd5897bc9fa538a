"""Access to the class of AWS's Python runtime client, `LambdaRuntimeClient` of awslambdaric.

AWS updates the client with the managed runtime, at any time. So every method is checked before it is wrapped,
all arguments are passed on as they are, and a client that has changed costs a feature, never a request: the
log line and the metric `RuntimeClientChanged` report it.
"""

import functools
import inspect
import logging
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from traced_agent import metrics

_MODULE = "awslambdaric.lambda_runtime_client"
_CLASS = "LambdaRuntimeClient"
_WAIT = "wait_next_invocation"

logger = logging.getLogger(__name__)


def find_client(modules: Mapping[str, ModuleType] = sys.modules) -> type | None:
    """The runtime client's class, if this process has been started by it."""
    client = getattr(modules.get(_MODULE), _CLASS, None)
    return client if isinstance(client, type) else None


def takes_request_id(client: type, method: str) -> bool:
    """Whether the client has this method, and the method takes the request id first, as `invoke_id`."""
    function = getattr(client, method, None)
    if not callable(function):
        return False
    parameters = list(inspect.signature(function).parameters.values())
    # A monitoring SDK may have wrapped the method in a function of `*args`, which passes them on.
    wrapped = any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters)
    return wrapped or [parameter.name for parameter in parameters[1:2]] == ["invoke_id"]


def on_next_invocation(
    client: type,
    *,
    before: Callable[[], None] = lambda: None,
    after: Callable[[Any], None] = lambda _request: None,
) -> bool:
    """Call `before` when the client asks for its next request, and `after` with that request.

    A client asks for the next request only after it has posted the response to the last one. An exception of
    `before` or `after` is logged and does not reach the client.

    Returns:
        Whether the client has the method that this needs.
    """
    wait = getattr(client, _WAIT, None)
    if not callable(wait):
        return False

    @functools.wraps(wait)
    def wait_next_invocation(*args: Any, **kwargs: Any) -> Any:
        _call(before)
        request = wait(*args, **kwargs)
        _call(functools.partial(after, request))
        return request

    setattr(client, _WAIT, wait_next_invocation)
    return True


def report_change(consequence: str) -> None:
    """Report that this runtime client is not as expected, and what that changes."""
    logger.warning("the Lambda runtime client has changed: %s", consequence)
    metrics.emit({metrics.RUNTIME_CLIENT_CHANGED: 1})


def _call(listener: Callable[[], None]) -> None:
    try:
        listener()
    except Exception:
        logger.exception("a listener of the runtime client failed")
