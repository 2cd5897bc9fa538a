"""Says in one line what pip's output means, and what to do."""

import re

import layers
from tools.cache import CACHE

NO_MATCH = re.compile(r"No matching distribution found for ([^\s(]+)")
_DENIED = re.compile(
    r"\b(401|403)\b (?:Client )?Error|\b(401|403)\b[^\n]*(?:Unauthorized|Forbidden|Credentials)"
)
_UNREACHABLE = re.compile(
    r"(ProxyError|SSLError|CERTIFICATE_VERIFY_FAILED|NameResolutionError|name resolution"
    r"|Name or service not known|getaddrinfo failed|Connection refused|Network is unreachable"
    r"|ConnectTimeout|ReadTimeout|timed out|NewConnectionError|Connection aborted|Connection reset)"
)


def explain(output: str, platform: str = layers.PLATFORM) -> str | None:
    """What pip's output means, in one line with the remedy; None if it is none of the known errors."""
    if wrong := re.search(r"DO NOT MATCH THE HASHES.*?\n\s+(\S+==\S+) from", output, re.DOTALL):
        name = wrong[1].partition("==")[0]
        return (
            f"the index's {wrong[1]} is not the file that was locked (its hash differs): do not use it; "
            f"if its release was replaced in good faith, `hatch run lock-layers --upgrade {name}`"
        )
    if re.search(r"No space left on device|not enough space", output):
        return f"no space left on the disk (the cache is {CACHE}): free some, then run it again"
    if denied := _DENIED.search(output):
        return (
            f"the package index denies access ({denied[1] or denied[2]}): check the user name and password "
            "in pip's `index-url`, keyring or .netrc, then run it again"
        )
    if cause := _UNREACHABLE.search(output):
        return (
            f"the package index cannot be reached ({cause[1]}): check the network, and where there is a "
            "proxy HTTPS_PROXY and pip's `cert` setting, then run it again"
        )
    if none := NO_MATCH.search(output):
        return no_wheel(none[1], "", platform)
    return None


def no_wheel(requirement: str, reason: str, platform: str = layers.PLATFORM) -> str:
    """The line for a requirement that has no wheel for the target; `reason` says what the index has."""
    because = f" ({reason})" if reason else ""
    return (
        f"the index has no wheel of {requirement} for CPython {layers.PYTHON} on {platform}{because}: "
        "require a version that has one in requirements.in and run `hatch run lock-layers`"
    )


def last_line(output: str) -> str:
    """The last line of a program's output, which is usually the reason of its failure."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1].removeprefix("ERROR: ") if lines else "it gave no reason"
