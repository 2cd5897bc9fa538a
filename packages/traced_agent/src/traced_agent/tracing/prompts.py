"""The agent's system prompt from Langfuse: `LANGFUSE_PROMPT=NAME[@LABEL]`.

It is fetched during init within a time limit, and refreshed after a response at most once a minute, so no
caller waits. If it cannot be used, the agent keeps the system prompt of its own code.
"""

import functools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from traced_agent import metrics
from traced_agent.tracing.export_attempt import ExportAttempt
from traced_agent.tracing.langfuse_api import LangfuseApi
from traced_agent.worker_threads import DeadlineExceeded, run_with_timeout

logger = logging.getLogger(__name__)

INIT_TIMEOUT_S: Final = 2.0
"""The longest wait for the prompt during init."""

REFRESH_AFTER_S: Final = 60.0
"""The shortest time between two requests for the prompt."""


class PromptError(ValueError):
    """What the server returned is not a system prompt."""


@dataclass(frozen=True)
class Prompt:
    """One version of a prompt."""

    name: str
    version: int
    text: str

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes by which Langfuse links a generation to the prompt."""
        return {
            "langfuse.observation.prompt.name": self.name,
            "langfuse.observation.prompt.version": self.version,
        }


class PromptSource:
    """Fetches one prompt, and keeps the latest version of it."""

    def __init__(
        self,
        prompt: str,
        api: Callable[[], LangfuseApi],
        *,
        clock: Callable[[], float] = time.time,  # not a monotonic clock: that one stops in a snapshot
        emit: Callable[[dict[str, float]], None] = metrics.emit,
    ) -> None:
        """`prompt`: `NAME` or `NAME@LABEL` (`production` by default); `api`: may read a secret."""
        self._name, _, label = prompt.partition("@")
        self._label = label or "production"
        self._api = api
        self._clock = clock
        self._emit = emit
        self._fetched_at = float("-inf")
        self._reported: str | None = None
        self.current: Prompt | None = None
        """The version to use; None: use the system prompt of the agent's code."""

    def fetch(self, timeout_s: float = INIT_TIMEOUT_S) -> None:
        """Fetch the prompt within the time limit. Never raises; a failure keeps what there is."""
        self._fetched_at = self._clock()
        attempt = ExportAttempt((), timeout_s)
        try:
            body = run_with_timeout(timeout_s, functools.partial(self._request, attempt))
            prompt = _parse(self._name, body)
        except DeadlineExceeded:
            attempt.abort()
            self._report(f"Langfuse did not answer within {timeout_s:g} s")
        except Exception as error:  # noqa: BLE001 - the agent's own prompt is the fallback
            self._report(str(error))
        else:
            if prompt != self.current:
                logger.info(
                    "system prompt loaded", extra={"prompt": prompt.name, "prompt_version": prompt.version}
                )
            self.current, self._reported = prompt, None

    def refresh(self, timeout_s: float) -> None:
        """Fetch the prompt again if the last request is old enough. Never raises."""
        if timeout_s > 0 and self._clock() - self._fetched_at >= REFRESH_AFTER_S:
            self.fetch(timeout_s)

    def _request(self, attempt: ExportAttempt) -> dict[str, Any]:
        return self._api().prompt(self._name, self._label, attempt)

    def _report(self, problem: str) -> None:
        self._emit({metrics.PROMPT_FALLBACKS: 1})
        if problem != self._reported:
            used = (
                f"version {self.current.version}" if self.current else "the system prompt of the agent's code"
            )
            logger.warning(
                "prompt %s@%s is not available: %s | used=<%s>", self._name, self._label, problem, used
            )
        self._reported = problem


def _parse(name: str, body: dict[str, Any]) -> Prompt:
    """Read a text prompt, or a chat prompt that consists of one system message.

    Raises:
        PromptError: it is neither.
    """
    content, version = body.get("prompt"), body.get("version")
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], dict):
        content = content[0].get("content") if content[0].get("role") == "system" else None
    if not isinstance(content, str) or not content.strip():
        raise PromptError("it must be a text prompt, or a chat prompt with one system message")
    if not isinstance(version, int) or isinstance(version, bool):
        raise PromptError("it has no version number")
    return Prompt(name, version, content)
