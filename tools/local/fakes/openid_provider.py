"""A third-party OpenID provider on loopback, oidc-provider-mock, for `auth=jwt` on the local cloud."""

import contextlib
import secrets
import subprocess
import time
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

import httpx

from tools.command import Failure
from tools.environments import python_of
from tools.local.http.server import LOOPBACK, free_port

CLIENT = "local-client"
"""The client id, which is the audience of the tokens."""

_START_S = 20.0
_REDIRECT = "http://127.0.0.1/signed-in"


class OpenIdProvider:
    """The provider: `with OpenIdProvider() as provider: provider.token("alice")`."""

    def __init__(self) -> None:
        self._port = free_port()
        self.issuer = f"http://{LOOPBACK}:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        module = [str(python_of("openid")), "-I", "-W", "ignore", "-m", "oidc_provider_mock"]
        self._process = subprocess.Popen(
            [*module, "--host", LOOPBACK, "--port", str(self._port)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self._await()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

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

    def _await(self) -> None:
        until = time.monotonic() + _START_S
        while time.monotonic() < until and self._process and self._process.poll() is None:
            with contextlib.suppress(httpx.HTTPError):
                httpx.get(f"{self.issuer}/.well-known/openid-configuration", trust_env=False, timeout=2)
                return
            time.sleep(0.05)
        raise Failure("the local OpenID provider did not start: run `hatch env remove openid` and try again")
