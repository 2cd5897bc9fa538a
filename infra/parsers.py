"""Parsers of context values: each takes text and raises ValueError with what it expected."""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

_LOOPBACK = ("localhost", "127.0.0.1", "::1")

LOG_RETENTION_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)  # fmt: skip # noqa: E501
"""The retention periods that CloudWatch Logs offers."""


def switch(text: str) -> bool:
    """Parse `true` or `false`."""
    return choice("true", "false")(text.lower()) == "true"


def choice(*choices: str) -> Callable[[str], str]:
    """A parser that takes one of the choices."""

    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(" or ".join(choices))
        return text

    return parse


def number(least: int, most: int) -> Callable[[str], int]:
    """A parser of whole numbers in a range, both ends included."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise ValueError(f"a whole number from {least} to {most}")
        return int(text)

    return parse


def one_of(*numbers: int) -> Callable[[str], int]:
    """A parser that takes one of the numbers."""
    return lambda text: int(choice(*map(str, numbers))(text))


def pattern(expression: str, expected: str) -> Callable[[str], str]:
    """A parser of text that matches a regular expression."""

    def parse(text: str) -> str:
        if not re.fullmatch(expression, text):
            raise ValueError(expected)
        return text

    return parse


def items(parse: Callable[[str], str]) -> Callable[[str], tuple[str, ...]]:
    """A parser of a list of values, separated by commas."""
    return lambda text: tuple(parse(item.strip()) for item in text.split(",") if item.strip())


def origin(text: str) -> str:
    """Parse a web origin, or `*`."""
    if text != "*" and not re.fullmatch(r"https?://[A-Za-z0-9*.:\[\]-]+", text):
        raise ValueError("origins like https://app.example.com, separated by commas, or *")
    return text


def email(text: str) -> str:
    """Parse an email address."""
    if text.count("@") != 1 or text.startswith("@") or "." not in text.rpartition("@")[2] or " " in text:
        raise ValueError("an email address")
    return text


def encrypted(parse: Callable[[str], str]) -> Callable[[str], str]:
    """A parser that also requires https, except on the loopback interface."""

    def parse_encrypted(text: str) -> str:
        url = parse(text)
        parts = urlsplit(url)
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise ValueError("an https URL: keys and conversations would be sent unencrypted")
        return url

    return parse_encrypted


stack_name = pattern(
    r"[A-Za-z][A-Za-z0-9-]{0,62}[A-Za-z0-9]",
    "2 to 64 letters, digits and hyphens, beginning with a letter",
)
kms_key = pattern(
    r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/(mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})",
    "the ARN of a KMS key, arn:aws:kms:REGION:ACCOUNT:key/ID",
)
runtime_version = pattern(
    r"arn:aws[a-z-]*:lambda:[a-z0-9-]+::runtime:[0-9a-f]+",
    "the ARN of a runtime version, arn:aws:lambda:REGION::runtime:…, as INIT_START shows it in the log",
)
subnet = pattern(
    r"subnet-([0-9a-f]{8}|[0-9a-f]{17})", "ids of subnets like subnet-0a1b2c3d, separated by commas"
)
security_group = pattern(
    r"sg-([0-9a-f]{8}|[0-9a-f]{17})", "ids of security groups like sg-0a1b2c3d, separated by commas"
)
