"""The options that a deploy would change, and the confirmation of the risky changes."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from tools.command import ERR, Failure

_ACCESS = {"iam": 2, "jwt": 1, "none": 0}


@dataclass(frozen=True)
class Change:
    """An option with another value than the deployed one."""

    name: str
    deployed: Any
    new: Any
    consequence: str = ""
    """Why the change needs a confirmation; empty if it needs none."""


def compare(deployed: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """The options that differ, in the order of the new ones."""
    names = [*new, *(name for name in deployed if name not in new)]
    return [
        Change(name, deployed.get(name), new.get(name), _consequence(name, deployed, new))
        for name in names
        if deployed.get(name) != new.get(name)
    ]


def _consequence(name: str, deployed: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    rule = _RULES.get(name)
    return rule(deployed.get(name), new.get(name), new) if rule else ""


def _auth(before: Any, after: Any, _: Mapping[str, Any]) -> str:
    if _ACCESS.get(after, 0) >= _ACCESS.get(before, 0):
        return ""
    return "everyone can call the URL" if after == "none" else "callers need no AWS credentials"


def _tokens(before: Any, _after: Any, _: Mapping[str, Any]) -> str:
    return "other tokens are accepted" if before else ""


def _origins(before: Any, after: Any, _: Mapping[str, Any]) -> str:
    return "more web pages can call the URL" if set(after or ()) - set(before or ()) else ""


def _sessions(before: Any, _after: Any, new: Mapping[str, Any]) -> str:
    return "all conversations are deleted" if before and not new.get("retain") else ""


def _log_days(before: Any, after: Any, _: Mapping[str, Any]) -> str:
    return f"logs older than {after} days are deleted" if before and after and after < before else ""


def _snapstart(_before: Any, _after: Any, _: Mapping[str, Any]) -> str:
    return "the Function URL is replaced"


_RULES: Mapping[str, Callable[[Any, Any, Mapping[str, Any]], str]] = {
    "auth": _auth,
    "cors_origins": _origins,
    "jwt_audience": _tokens,
    "jwt_issuer": _tokens,
    "log_retention_days": _log_days,
    "sessions": _sessions,
    "snapstart": _snapstart,
}
"""The consequence of a change that can widen access or delete data, from the values before and after and all
new options."""


def table(changes: Iterable[Change]) -> Table:
    """The changes as a table."""
    made = Table("option", "deployed", "new", "consequence", box=None, header_style="dim")
    for change in changes:
        made.add_row(change.name, text(change.deployed), text(change.new), change.consequence)
    return made


def confirm(
    changes: Sequence[Change],
    *,
    stack: str,
    in_cdk_json: Collection[str],
    prompt: Callable[[str], str],
    interactive: bool,
) -> None:
    """Ask before changes that widen access or delete data.

    A key in `cdk.json` counts as a confirmation: it is a choice that was written down.

    Raises:
        Failure: the answer was no, or there is no terminal to ask on.
    """
    risky = [change for change in changes if change.consequence and change.name not in in_cdk_json]
    if not risky:
        return
    summary = "; ".join(
        f"{change.name} from {text(change.deployed) or 'nothing'} to {text(change.new) or 'nothing'} "
        f"({change.consequence})"
        for change in risky
    )
    keep = " ".join(f"-c {change.name}={text(change.deployed)}" for change in risky)
    if not interactive:
        raise Failure(
            f"{stack} would change {summary}, and this is not an interactive terminal: pass --yes, "
            f"or {keep}, or set the keys in cdk.json"
        )
    ERR.print(f"{stack} would change {summary}.", markup=False, highlight=False, soft_wrap=True)
    try:
        answer = prompt("Deploy (y/n)? ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise Failure(f"nothing was deployed: to keep the deployed values, pass {keep}")


def text(value: Any) -> str:
    """An option's value as it is written after `-c key=`."""
    if value is None or value == []:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
