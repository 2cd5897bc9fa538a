"""The page to try the agent on: one file that needs, and may load, nothing from elsewhere."""

import base64
import functools
import hashlib
import html
import re
from pathlib import Path

from traced_agent.http.function_url import Response
from traced_agent.settings import Settings

_FILE = Path(__file__).with_name("page.html")


@functools.cache
def response(settings: Settings) -> Response:
    """The page, for a browser."""
    text = _FILE.read_text(encoding="utf-8")
    text = text.replace("{{model}}", html.escape(settings.bedrock_model_id))
    text = text.replace("{{sessions}}", "true" if settings.session_bucket else "false")
    headers = {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": _policy(text),
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "vary": "accept",
    }
    return Response(200, text, headers)


def _policy(text: str) -> str:
    """Allow the page's own script and style by their hashes, requests to this function, and nothing else."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash(text, 'script')}",
            f"style-src {_hash(text, 'style')}",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def _hash(text: str, element: str) -> str:
    [content] = re.findall(rf"<{element}>(.*?)</{element}>", text, re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
