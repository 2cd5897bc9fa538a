"""The page for trying the agent in a browser: one HTML document that loads nothing else.

`page.html` is the frame; the style sheet and the scripts next to it are inserted into it.
"""

import base64
import functools
import hashlib
import html
import json
import re
from collections.abc import Mapping
from pathlib import Path

from traced_agent.http.function_url import Response
from traced_agent.settings import Settings

_FOLDER = Path(__file__).parent
_SCRIPTS = ("dom", "inline", "markdown", "answer", "turn", "stream", "conversation")
"""In the order in which they run: each uses only names of those before it while it loads."""


@functools.cache
def response(settings: Settings, *, suggestions: tuple[str, ...] = (), feedback: bool = False) -> Response:
    """The page, for a browser.

    Args:
        settings: name the model and tell whether sessions are on.
        suggestions: questions that the page offers before the first one.
        feedback: whether `POST /feedback` is available, so that the page shows thumbs up and down.
    """
    config = {
        "model": settings.public_model_id,
        "sessions": bool(settings.session_bucket),
        "suggestions": suggestions,
        "feedback": feedback,
    }
    parts = {
        "style": _read("page.css"),
        "script": '"use strict";\n' + "".join(_read(f"{name}.js") for name in _SCRIPTS),
        "config": html.escape(json.dumps(config, ensure_ascii=False)),
    }
    headers = {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": _policy(parts),
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "vary": "accept",
    }
    return Response(200, _fill(_read("page.html"), parts), headers)


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _fill(template: str, parts: Mapping[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], template)


def _policy(parts: Mapping[str, str]) -> str:
    """Allow the page's own script and style by their hashes, requests to this function, and nothing else.

    https://www.w3.org/TR/CSP3/#match-element-to-source-list
    """
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash(parts['script'])}",
            f"style-src {_hash(parts['style'])}",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
