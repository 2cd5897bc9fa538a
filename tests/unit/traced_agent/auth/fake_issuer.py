"""A fake OpenID Connect issuer: real keys and signatures; its addresses are answered from memory."""

import json
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

ISSUER = "https://issuer.example.com/pool"
AUDIENCE = "client-1"


class FakeIssuer:
    """Signs tokens, publishes keys, and counts how often it is asked."""

    def __init__(self, issuer=ISSUER):
        self.issuer = issuer
        self.private = {
            "rsa": rsa.generate_private_key(public_exponent=65537, key_size=2048),
            "ec": ec.generate_private_key(ec.SECP256R1()),
            "ed": ed25519.Ed25519PrivateKey.generate(),
        }
        self.published = list(self.private)
        self.requests = []
        self.failure = None

    def token(self, key="rsa", algorithm="RS256", headers=None, *, without=(), **claims):
        now = int(time.time())
        known = {"iss": self.issuer, "aud": AUDIENCE, "sub": "user-1", "iat": now, "exp": now + 300}
        payload = {name: value for name, value in {**known, **claims}.items() if name not in without}
        private = self.private.get(key, key)
        return jwt.encode(payload, private, algorithm=algorithm, headers={"kid": key, **(headers or {})})

    def jwks(self):
        makers = {"rsa": RSAAlgorithm, "ec": ECAlgorithm, "ed": OKPAlgorithm}
        return [
            {
                **makers[name[:3] if name in makers else "rsa"].to_jwk(key.public_key(), as_dict=True),
                "kid": name,
            }
            for name, key in self.private.items()
            if name in self.published
        ]

    def fetch(self, address):
        self.requests.append(address)
        if self.failure is not None:
            raise self.failure
        if address.endswith("/.well-known/openid-configuration"):
            return json.dumps({"issuer": self.issuer, "jwks_uri": "https://issuer.example.com/keys"}).encode()
        assert address == "https://issuer.example.com/keys", address
        return json.dumps({"keys": self.jwks()}).encode()
