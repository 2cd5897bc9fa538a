"""Ignores an environment variable of another library if its value stops that library from working.

OpenTelemetry and Langfuse's SDK read many variables and raise errors that do not name them. Such a variable
must not stop the function, and must not stop tracing without a message that names it.
"""

import logging
from collections.abc import Callable, MutableMapping
from dataclasses import fields
from typing import TypeVar

from traced_agent.settings import Settings, SettingsError

logger = logging.getLogger(__name__)

T = TypeVar("T")

_PREFIXES = (
    "OTEL_",
    "LANGFUSE_",
    "SSL_CERT_",
    "REQUESTS_CA_BUNDLE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
)

_OWN = frozenset(name for setting in fields(Settings) for name in Settings.variables(setting.name))
"""Variables that `Settings` validates, and without which tracing would be something else."""


def without_invalid_variables(create: Callable[[], T], environ: MutableMapping[str, str]) -> T:
    """Call `create`; if it fails because of a variable, remove that variable and call it again.

    Each removed variable is logged by its name, without its value.

    Raises:
        SettingsError: as `create` raises it: the error names the variable already.
        Exception: what `create` raises even without these variables.
    """
    try:
        return create()
    except Exception as error:
        if isinstance(error, SettingsError):
            raise
        names = sorted(name for name in environ if name.upper().startswith(_PREFIXES) and name not in _OWN)
        for culprits in [*([name] for name in names), names]:
            removed = {name: environ.pop(name) for name in culprits}
            try:
                created = create()
            except Exception:  # noqa: BLE001 - these are not the cause, or not the only one
                environ.update(removed)
            else:
                logger.warning("%s is ignored: invalid value (%s)", ", ".join(culprits), type(error).__name__)
                return created
        raise
