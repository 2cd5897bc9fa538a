"""What to do about a request that Bedrock denied or rejected, without account numbers.

The texts that are recognised are those of IAM's access denied messages
(https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html) and of Bedrock's
troubleshooting page (https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html).
"""

import re

_UNAUTHORIZED = re.compile(
    r"not authorized to perform: (?P<action>[\w:]+)(?: on resource: (?P<arn>[^\s,]+))?(?P<reason>.*)",
    re.DOTALL,
)
_MAX_TOKENS = re.compile(r"max(?:imum|_)?[ _]?tokens", re.IGNORECASE)
_MARKETPLACE = re.compile(r"marketplace", re.IGNORECASE)
_PAYMENT = re.compile(r"payment[ _]instrument|payment method", re.IGNORECASE)

_POLICIES = (
    (
        "service control policy",
        "A service control policy of your AWS organization denies",
        "its administrator",
    ),
    (
        "resource control policy",
        "A resource control policy of your AWS organization denies",
        "its administrator",
    ),
    (
        "permissions boundary",
        "The permissions boundary of the function's role does not allow",
        "the account's administrator",
    ),
    (
        "permission boundary",
        "The permissions boundary of the function's role does not allow",
        "the account's administrator",
    ),
    ("VPC endpoint policy", "The policy of the VPC endpoint denies", "the owner of the endpoint"),
    (
        "session policy",
        "The session policy of the function's credentials denies",
        "the account's administrator",
    ),
)
"""The policy type in AWS's message, what it does, and who can change it."""


def names_a_denial(text: str) -> bool:
    """Whether a message that is not an AccessDeniedException still denies access."""
    return bool("use case details" in text or _PAYMENT.search(text) or "aws-marketplace:" in text)


def remedy(text: str, model_id: str, region: str) -> str:
    """What to do about a denial."""
    if _PAYMENT.search(text):
        return (
            f"AWS Marketplace has no valid payment method for {model_id}: add one to this account in the "
            "Billing console, then send the query again after two minutes"
        )
    if _MARKETPLACE.search(text):
        return (
            f"The subscription to {model_id} in AWS Marketplace is missing: allow aws-marketplace:Subscribe "
            "and aws-marketplace:ViewSubscriptions in IAM, and invoke the model once in the Bedrock console "
            f"of {region}"
        )
    if missing := _UNAUTHORIZED.search(text):
        return _unauthorized(missing, model_id)
    return (
        f"This account has no access to {model_id}: enable it under Model access in the Bedrock console of "
        f"{region}, with the use case details that its provider asks for, and allow the function's role "
        "bedrock:InvokeModel and bedrock:InvokeModelWithResponseStream on it"
    )


def rejection(text: str, model_id: str, region: str) -> str:
    """What to do about a request that Bedrock rejected as invalid."""
    if "on-demand throughput" in text:
        return f"{model_id} needs an inference profile: set BEDROCK_MODEL_ID to one of {region}"
    if _MAX_TOKENS.search(text):
        limit = re.search(r"(?:limit of|>)\s*(\d+)", text)
        of = f" of {limit[1]}" if limit else ""
        return f"MAX_TOKENS is above the limit{of} of {model_id}: set MAX_TOKENS to a lower number"
    if "end of its life" in text or "end-of-life" in text:
        return f"{model_id} has been retired: set BEDROCK_MODEL_ID to a current model of {region}"
    if not text or re.search(r"model|inference profile|identifier|region", text, re.IGNORECASE):
        return (
            f"Bedrock in {region} rejected the request: check BEDROCK_MODEL_ID={model_id} and BEDROCK_REGION"
        )
    return (
        f"Bedrock in {region} rejected the request as invalid: check the agent's tools and settings; "
        "the function's log has Bedrock's message under this run_id"
    )


def _unauthorized(missing: re.Match[str], model_id: str) -> str:
    action, reason = missing["action"], missing["reason"]
    arn = re.sub(r":\d{12}:", ":*:", missing["arn"] or model_id)
    for policy, denies, owner in _POLICIES:
        if policy in reason:
            return f"{denies} {action} on {arn}: ask {owner} to allow it; a permission in IAM is not enough"
    if "explicit deny" in reason:
        return (
            f"An explicit deny forbids {action} on {arn}: remove that Deny statement from the role's policies"
        )
    return f"The function's role may not invoke {model_id}: allow it {action} on {arn} in IAM"
