"""Checks the Langfuse server before a deployment, and finds the project of the keys."""

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from tools.aws import stacks
from tools.aws.arguments import Target
from tools.command import ERR, PLAIN
from traced_agent.tracing.export_attempt import ExportAttempt, ExportError, UnauthorizedError
from traced_agent.tracing.langfuse_api import LangfuseApi
from traced_agent.worker_threads import DeadlineExceeded, run_with_timeout

T = TypeVar("T")

TIMEOUT_S = 5.0
"""Seconds for one request to Langfuse."""

OLDEST_SERVER = (4, 59)
"""The first version of a self-hosted server that Langfuse's SDK 5 supports (its upgrade guide)."""


@dataclass(frozen=True)
class Report:
    """What the server answered."""

    project_id: str = ""
    """The id of the project of the keys; empty if it is not known."""
    warnings: tuple[str, ...] = ()
    """One line each: what is wrong, and what to do."""


def check(host: str, public_key: str, secret_key: str, *, timeout_s: float = TIMEOUT_S) -> Report:
    """Ask the server for the project of the keys, and a self-hosted server for its version.

    A fault is a warning: traces can be sent later, and the deployment does not need Langfuse.
    """
    api = LangfuseApi(host, public_key, secret_key)
    try:
        project_id = _bounded(api.project_id, timeout_s)
    except UnauthorizedError:
        return Report(warnings=(_rejected(host),))
    except DeadlineExceeded:
        return Report(warnings=(_failed(f"{host} sent no complete response within {timeout_s:g} s"),))
    except ExportError as error:
        return Report(warnings=(_failed(_without_keys(str(error), public_key, secret_key)),))
    if not project_id:
        return Report(warnings=(_not_langfuse(host),))
    return Report(project_id, tuple(_version_warnings(api, host, timeout_s)))


def context(target: Target, keys: Mapping[str, str]) -> list[str]:
    """Check the server, print warnings, and return the context arguments that name the project.

    Args:
        target: the stack, whose options name the server.
        keys: the Langfuse keys that the function will use, public key first; empty if they cannot be read.
    """
    options = target.plan.options
    report = check(options["langfuse_host"], *keys.values()) if keys else Report(warnings=(_unreadable(),))
    show(report.warnings)
    given = options.get("langfuse_project")
    if not given:
        project_id = report.project_id or recorded(target)
        return ["-c", f"langfuse_project={project_id}"] if project_id else []
    if report.project_id and given != report.project_id:
        show([_other_project(given, report.project_id)])
    return []


def recorded(target: Target) -> str:
    """The project that the stack was deployed with, if its server is still the same; otherwise empty."""
    deployed = stacks.find(target.account.client, target.plan.name)
    return kept(deployed.record.get("options", {}), target.plan.options) if deployed else ""


def kept(deployed: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """The project of the deployed options, if the new ones name the same server; otherwise empty."""
    same_server = deployed.get("langfuse_host") == new["langfuse_host"]
    return str(deployed.get("langfuse_project") or "") if same_server else ""


def show(warnings: Iterable[str]) -> None:
    """Print the warnings."""
    for warning in warnings:
        ERR.print(f"warning: {warning}", **PLAIN)


def _version_warnings(api: LangfuseApi, host: str, timeout_s: float) -> list[str]:
    if (urlsplit(host).hostname or "").endswith(".langfuse.com"):  # Langfuse Cloud
        return []
    try:
        health = _bounded(lambda attempt: api.get("/api/public/health", attempt), timeout_s)
    except (DeadlineExceeded, ExportError):
        return []
    found = re.match(r"v?(\d+)\.(\d+)[\w.+-]*", str(health.get("version")))
    if not found or (int(found[1]), int(found[2])) >= OLDEST_SERVER:
        return []
    return [_too_old(host, found[0])]


def _bounded(request: Callable[[ExportAttempt], T], timeout_s: float) -> T:
    """Make the request within the time limit, even if the server sends one byte at a time.

    Raises:
        DeadlineExceeded: there was no complete response in time.
        ExportError: the request failed.
    """
    attempt = ExportAttempt((), timeout_s + 1)  # the limit below is reached first
    try:
        return run_with_timeout(timeout_s, lambda: request(attempt))
    finally:
        attempt.abort()


def _failed(reason: str) -> str:
    return f"Langfuse was not checked: {reason}. Check the network and langfuse_host"


def _unreadable() -> str:
    return "Langfuse was not checked: the secret has no keys that these AWS credentials can read"


def _rejected(host: str) -> str:
    return (
        f"{host} rejects the Langfuse keys, so no trace will arrive: use keys of a project on that server "
        "(Settings, API Keys), or name the keys' server with LANGFUSE_HOST or -c langfuse_host=URL"
    )


def _not_langfuse(host: str) -> str:
    return f"{host} did not answer as Langfuse does: check langfuse_host"


def _other_project(given: str, found: str) -> str:
    return (
        f"langfuse_project is {given}, but the keys belong to the project {found}, so trace addresses will "
        "not open: change langfuse_project or the keys"
    )


def _too_old(host: str, version: str) -> str:
    oldest = ".".join(map(str, OLDEST_SERVER))
    return f"{host} is Langfuse {version}, which rejects feedback and scores: upgrade it to {oldest} or later"


def _without_keys(text: str, public_key: str, secret_key: str) -> str:
    """A server's message without the keys, in case the server repeats them."""
    basic = base64.b64encode(f"{public_key}:{secret_key}".encode()).decode()
    for key in (basic, secret_key, public_key):
        text = text.replace(key, "***")
    return text
