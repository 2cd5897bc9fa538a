"""CORS as Lambda itself answers it for a Function URL that has it configured.

https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html#urls-cors
"""

from collections.abc import Mapping

from tools.local.runtime.function import Cors


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a browser asks if it may ask."""
    return method == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers


def preflight(cors: Cors, origin: str) -> dict[str, str]:
    """The headers of the answer to a preflight."""
    if not (allowed := response(cors, origin)):
        return {}
    lists = {"methods": cors.allow_methods, "headers": cors.allow_headers}
    found = {f"access-control-allow-{name}": ",".join(values) for name, values in lists.items() if values}
    return {**allowed, **found, **({"access-control-max-age": str(cors.max_age_s)} if cors.max_age_s else {})}


def response(cors: Cors, origin: str) -> dict[str, str]:
    """The headers of any other answer; none for an origin that is not allowed."""
    if not origin or not {origin, "*"} & set(cors.allow_origins):
        return {}
    everyone = "*" in cors.allow_origins and not cors.allow_credentials
    found = {"access-control-allow-origin": "*" if everyone else origin, "vary": "Origin"}
    if cors.expose_headers:
        found["access-control-expose-headers"] = ",".join(cors.expose_headers)
    return {**found, **({"access-control-allow-credentials": "true"} if cors.allow_credentials else {})}
