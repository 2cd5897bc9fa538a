"""Creates the authenticator if the settings name an issuer; otherwise imports nothing."""

from typing import TYPE_CHECKING

from traced_agent.settings import Settings, SettingsError

if TYPE_CHECKING:
    from traced_agent.auth.bearer import Authenticator


def start_authenticator(settings: Settings) -> "Authenticator | None":
    """The authenticator of the configured issuer; None if the function checks no tokens.

    Raises:
        SettingsError: only one of the issuer and the audience is set.
    """
    if not (settings.jwt_issuer or settings.jwt_audience):
        return None
    if not (settings.jwt_issuer and settings.jwt_audience):
        raise SettingsError("JWT_ISSUER and JWT_AUDIENCE must be set together")
    from traced_agent.auth.bearer import Authenticator  # noqa: PLC0415 - 40 ms that other modes do not need

    return Authenticator.from_settings(settings)
