"""A third-party OpenID provider on loopback, oidc-provider-mock, for `auth=jwt` on the local cloud."""

import secrets
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

import httpx

from tools.command import Failure
from tools.environments import python_of
from tools.local.http import server_process
from tools.local.http.server import LOOPBACK, free_port

CLIENT = "local-client"
"""The client id, which is the audience of the tokens."""

_REDIRECT = "http://127.0.0.1/signed-in"


class OpenIdProvider:
    """The provider: `with OpenIdProvider() as provider: provider.token("alice")`."""

    def __init__(self) -> None:
        self._port = free_port()
        self.issuer = f"http://{LOOPBACK}:{self._port}"
        module = [str(python_of("openid")), "-I", "-W", "ignore", "-m", "oidc_provider_mock"]
        self._server = server_process.running(
            "the local OpenID provider",
            [*module, "--host", LOOPBACK, "--port", str(self._port)],
            f"{self.issuer}/.well-known/openid-configuration",
        )

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.__exit__(kind, value, trace)

    def token(self, subject: str = "local-user") -> str:
        """An id token for a user, by the authorization code flow.

        Raises:
            Failure: the provider gave none.
        """
        with httpx.Client(base_url=self.issuer, trust_env=False, timeout=10) as client:
            client.put(f"/users/{subject}", json={})
            asked = {
                "client_id": CLIENT,
                "redirect_uri": _REDIRECT,
                "response_type": "code",
                "scope": "openid",
                "nonce": secrets.token_urlsafe(8),
            }
            signed_in = client.post("/oauth2/authorize", params=asked, data={"sub": subject})
            code = parse_qs(urlsplit(signed_in.headers.get("location", "")).query).get("code")
            if not code:
                raise Failure(
                    f"the OpenID provider did not sign in {subject}: it answered {signed_in.status_code}"
                )
            grant = {"grant_type": "authorization_code", "code": code[0], "redirect_uri": _REDIRECT}
            granted = client.post("/oauth2/token", data=grant, auth=(CLIENT, "secret"))
        if "id_token" not in (content := granted.json()):
            raise Failure(f"the OpenID provider gave no token: {content.get('error', granted.status_code)}")
        return str(content["id_token"])
