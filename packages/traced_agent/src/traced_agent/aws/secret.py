"""Reads a secret when it is first needed, and again when it may have been rotated."""

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import boto3


class SecretError(Exception):
    """The secret is not what it should be; the message says which, and what to do."""


class Secret:
    """A secret of Secrets Manager."""

    def __init__(self, arn: str, session: "Callable[[], boto3.Session]") -> None:
        self._arn = arn
        self._session = session
        self._text: str | None = None

    def text(self) -> str:
        """The secret's text.

        Raises:
            SecretError: there is none, or this function may not read it.
        """
        if self._text is None:
            self._text = self._read()
        return self._text

    def json(self) -> dict[str, Any]:
        """The secret's JSON object; empty if it is anything else."""
        try:
            value = json.loads(self.text())
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    def renew(self) -> bool:
        """Read it again; whether it is another than before."""
        before, self._text = self._text, None
        return self.text() != before

    def wrong(self, what: str) -> SecretError:
        """The error to raise when the secret is not as it should be; it is read anew next time."""
        self._text = None
        return SecretError(f"the secret {self._arn} {what}")

    def _read(self) -> str:
        from botocore.config import Config  # noqa: PLC0415 - not before the answer
        from botocore.exceptions import ClientError  # noqa: PLC0415

        region = self._arn.split(":")[3] if self._arn.startswith("arn:") else None
        quick = Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 2})
        client = self._session().client("secretsmanager", region_name=region, config=quick)
        try:
            return client.get_secret_value(SecretId=self._arn).get("SecretString") or ""
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500 or "Throttl" in code:
                raise
            raise self.wrong(f"cannot be read ({code}): it must exist and the role may read it") from None
