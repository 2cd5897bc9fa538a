"""The errors of the HTTP interface: codes, statuses and the exception that carries them."""

from collections.abc import Mapping

STATUS = {
    "invalid_json": 400,
    "invalid_request": 400,
    "unauthorized": 401,
    "not_found": 404,
    "method_not_allowed": 405,
    "session_busy": 409,
    "session_full": 409,
    "too_large": 413,
    "unsupported_media_type": 415,
    "model_throttled": 429,
    "internal_error": 500,
    "model_error": 502,
    "model_access_denied": 502,
    "deadline_exceeded": 504,
}
"""The HTTP status of each error code."""


class ApiError(Exception):
    """The request ends in an error: its code, and a message that says what to do."""

    def __init__(
        self, code: str, message: str, *, field: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.headers = headers or {}

    @property
    def status(self) -> int:
        """The HTTP status."""
        return STATUS[self.code]
