"""An MCP server that needs an access token, and the token endpoint that gives it to clients."""

import base64
import contextlib
import json
import secrets
import time

from tests.unit.traced_agent.mcp_server import served, stock
from tools.local.http.server import LOOPBACK, HttpServer, free_port

CLIENT = {"client_id": "client-canary", "client_secret": "secret-canary"}


class TokenEndpoint(HttpServer):
    """An authorization server with the grant `client_credentials` (RFC 6749, section 4.4; RFC 8414)."""

    def __init__(self):
        self.tokens = []
        """The access tokens that it gave, oldest first."""
        self.revoked = set()
        self.fault = ""
        super().__init__(self._respond)

    def _respond(self, exchange):
        body = exchange.body()
        if exchange.path.startswith("/.well-known/"):
            metadata = {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "response_types_supported": ["code"],
                "grant_types_supported": ["client_credentials"],
            }
            return exchange.answer(200, json.dumps(metadata).encode())
        return self._give_token(exchange, body)

    def _give_token(self, exchange, body):
        if self.fault == "hang":
            exchange.closing.wait()
            return exchange.abort()
        if self.fault == "garbage":
            return exchange.answer(200, b"\x00garbage{")
        pair = base64.b64encode(":".join(CLIENT.values()).encode()).decode()
        if exchange.headers.get("authorization") != f"Basic {pair}" or b"client_credentials" not in body:
            return exchange.answer(401, b'{"error": "invalid_client"}')
        self.tokens.append(f"token-canary-{secrets.token_hex(8)}")
        token = {"access_token": self.tokens[-1], "token_type": "Bearer", "expires_in": 3600}
        return exchange.answer(200, json.dumps(token).encode())

    async def verify_token(self, token):
        """Tell the MCP server whether a token is valid, as its `TokenVerifier`."""
        from mcp.server.auth.provider import AccessToken

        if token not in self.tokens or token in self.revoked:
            return None
        return AccessToken(
            token=token, client_id=CLIENT["client_id"], scopes=[], expires_at=int(time.time()) + 3600
        )


@contextlib.contextmanager
def protected_server():
    """Serves the tool `stock` to clients with a token; gives the URL and the token endpoint."""
    from mcp.server.auth.settings import AuthSettings  # with the server it takes seconds to import
    from mcp.server.mcpserver import MCPServer

    port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    with TokenEndpoint() as endpoint:
        auth = AuthSettings(issuer_url=endpoint.url, resource_server_url=f"{url}/mcp")
        server = MCPServer("stock", token_verifier=endpoint, auth=auth)
        server.add_tool(stock)
        with served(server.streamable_http_app(json_response=True), port):
            yield f"{url}/mcp", endpoint
