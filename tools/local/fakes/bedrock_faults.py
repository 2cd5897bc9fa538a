"""The faults of the fake model: refusals, broken streams and faulty answers.

The messages are those of the service, as public bug reports and AWS's troubleshooting page quote them:
https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html
"""

from collections.abc import Callable, Mapping
from typing import Any

from tools.local.fakes.fake_model import Reply, Request, ToolUse, tool_results

_DENIED = (403, "AccessDeniedException")
_ROLE = "User: arn:aws:sts::123456789012:assumed-role/agent/function is not authorized to perform: "
_ACTION = "bedrock:InvokeModelWithResponseStream"
_UNAUTHORIZED = f"{_ROLE}{_ACTION} on resource: arn:aws:bedrock:us-east-1:123456789012:inference-profile/any"
_INCOMPLETE = (
    "Your AWS Marketplace subscription for this model cannot be completed at this time. "
    "If you recently fixed this issue, try again after 2 minutes."
)
_NO_SUBSCRIPTION = (
    "Model access is denied due to IAM user or service role is not authorized to perform the required AWS "
    "Marketplace actions (aws-marketplace:ViewSubscriptions, aws-marketplace:Subscribe) to enable access to "
    f"this model. {_INCOMPLETE}"
)
_NO_PAYMENT = (
    "Model access is denied due to INVALID_PAYMENT_INSTRUMENT:A valid payment instrument must be provided. "
    f"{_INCOMPLETE}"
)
_ABOVE_LIMIT = (
    "The maximum tokens you requested exceeds the model limit of 64000. "
    "Try again with a maximum tokens value that is lower than 64000."
)

REFUSALS = {
    "throttle": (429, "ThrottlingException", "Too many requests, please wait before trying again."),
    "deny": (403, "AccessDeniedException", "You don't have access to the model with the specified model ID."),
    "deny_role": (*_DENIED, f"{_UNAUTHORIZED} because no identity-based policy allows the {_ACTION} action"),
    "deny_organization": (*_DENIED, f"{_UNAUTHORIZED} with an explicit deny in a service control policy"),
    "deny_boundary": (
        *_DENIED,
        f"{_UNAUTHORIZED} because no permissions boundary allows the {_ACTION} action",
    ),
    "deny_marketplace": (*_DENIED, _NO_SUBSCRIPTION),
    "deny_payment": (*_DENIED, _NO_PAYMENT),
    "expired": (403, "ExpiredTokenException", "The security token included in the request is expired"),
    "wrong_keys": (
        403,
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    ),
    "invalid": (400, "ValidationException", "The provided model identifier is invalid."),
    "too_long": (400, "ValidationException", "Input is too long for requested model."),
    "too_many_tokens": (400, "ValidationException", _ABOVE_LIMIT),
    "not_found": (404, "ResourceNotFoundException", "Could not resolve the foundation model."),
    "not_ready": (429, "ModelNotReadyException", "The model is not ready for inference."),
    "internal": (500, "InternalServerException", "The server encountered an internal error."),
    "unavailable": (503, "ServiceUnavailableException", "Bedrock is unable to process your request."),
}
"""Answers in the service's own words: status, type, message."""

BROKEN_STREAMS = {
    "break": (424, "modelStreamErrorException", "The model broke off."),
    "throttle_late": (429, "throttlingException", REFUSALS["throttle"][2]),
    "invalid_late": (400, "validationException", "The model returned the following errors: output blocked"),
    "internal_late": (500, "internalServerException", REFUSALS["internal"][2]),
}
"""The exceptions that end a stream in its middle: Converse's status, type, message."""


FaultyReply = Callable[[Request], Reply | None]
"""The reply to a request; None for the model's own."""

_INPUT = {"expression": "1 + 1"}
_NOT_JSON = '{"expression": "1 +'


def _with_tool(
    text: str, stop_reason: str, *, tool: str = "calculator", arguments: dict[str, Any] | str
) -> FaultyReply:
    """A reply that uses a tool, until the tool has a result."""

    def reply(request: Request) -> Reply | None:
        if tool_results(request):
            return None
        identifier = f"tooluse_{len(request['messages']):022d}"
        return Reply(text, (ToolUse(identifier, tool, arguments),), stop_reason)

    return reply


def _text(text: str, stop_reason: str = "end_turn") -> FaultyReply:
    return lambda _request: Reply(text, stop_reason=stop_reason)


FAULTY_REPLIES: Mapping[str, FaultyReply] = {
    "empty": _text(""),
    "empty_after_tool": lambda request: (
        Reply("")
        if tool_results(request)
        else _with_tool("It is two.", "tool_use", arguments=_INPUT)(request)
    ),
    "blank": _text(" \n"),
    "no_tool": _text("Let me see.", "tool_use"),
    "unknown_tool": _with_tool("Let me see.", "tool_use", tool="no_such_tool", arguments=_INPUT),
    "broken_arguments": _with_tool("Let me see.", "tool_use", arguments=_NOT_JSON),
    "cut_arguments": _with_tool("Let me see.", "max_tokens", arguments=_NOT_JSON),
    "guardrail_tool": _with_tool("I must not.", "guardrail_intervened", arguments=_INPUT),
    "sequence_tool": _with_tool("I stop", "stop_sequence", arguments=_INPUT),
    "context_full": _text("It is a long story, and", "model_context_window_exceeded"),
    "emoji": _text("Good \ud83d\ude00!"),
    "half_emoji": _text("Good \ud83d!"),
}
"""Replies in place of the model's own."""

FAULTS = {
    **{fault: f"{status} {kind}: {message}" for fault, (status, kind, message) in REFUSALS.items()},
    **{
        fault: f"half the answer, then the stream ends with {kind}"
        for fault, (_, kind, _) in BROKEN_STREAMS.items()
    },
    "cut": "half the answer, then the connection closes",
    "garbage": "200 with bytes that are neither JSON nor an event stream",
    "truncate": "the whole text, then a clean end without messageStop or stopReason",
    "empty": "200 with a message that has no content",
    "empty_after_tool": "text and a tool use, then a message that has no content",
    "blank": "an answer of white space",
    "no_tool": "an answer with the stop reason tool_use, but without a tool use",
    "unknown_tool": "the use of a tool that the request does not offer",
    "broken_arguments": "a tool use with arguments that are not JSON",
    "cut_arguments": "the stop reason max_tokens within a tool's arguments",
    "guardrail_tool": "a tool use with the stop reason guardrail_intervened",
    "sequence_tool": "a tool use with the stop reason stop_sequence",
    "context_full": "half the answer, with the stop reason model_context_window_exceeded",
    "emoji": "an emoji in two deltas",
    "half_emoji": "half an emoji (an unpaired surrogate)",
    "drip": "one word a second, without end",
    "hang": "no byte at all",
}
"""The faults that can be injected, with their effects."""
