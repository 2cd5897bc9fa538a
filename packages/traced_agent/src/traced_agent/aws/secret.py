"""Reads a secret at its first use, and again when it may have been rotated."""

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import boto3


class SecretError(Exception):
    """The secret is missing or invalid; the message names it and says what to do."""


class Secret:
    """A secret in Secrets Manager."""

    def __init__(self, arn: str, session: "Callable[[], boto3.Session]") -> None:
        self._arn = arn
        self._session = session
        self._text: str | None = None

    def text(self) -> str:
        """Return the secret's text.

        Raises:
            SecretError: it does not exist, or this function may not read it.
        """
        if self._text is None:
            self._text = self._read()
        return self._text

    def json(self) -> dict[str, Any]:
        """Return the secret's JSON object; an empty one if the secret is anything else."""
        try:
            value = json.loads(self.text())
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    def refresh(self) -> bool:
        """Read it again; whether it has changed."""
        before, self._text = self._text, None
        return self.text() != before

    def error(self, problem: str) -> SecretError:
        """Create the error to raise when the secret is invalid; the next use reads it again."""
        self._text = None
        return SecretError(f"the secret {self._arn} {problem}")

    def _read(self) -> str:
        from botocore.config import Config  # noqa: PLC0415 - not before the answer
        from botocore.exceptions import ClientError  # noqa: PLC0415

        region = self._arn.split(":")[3] if self._arn.startswith("arn:") else None
        config = Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 2})
        client = self._session().client("secretsmanager", region_name=region, config=config)
        try:
            return client.get_secret_value(SecretId=self._arn).get("SecretString") or ""
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500 or "Throttl" in code:
                raise
            raise self.error(
                f"cannot be read ({code}): create it, and allow the function's role to read it"
            ) from None
