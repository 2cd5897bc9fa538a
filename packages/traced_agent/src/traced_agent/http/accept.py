"""The media type that a client prefers, by its Accept header (RFC 9110, section 12.5.1)."""

EVENT_STREAM = "text/event-stream"
HTML = "text/html"
_DEFAULT = "application/json"


def wants(accept: str, media_type: str) -> bool:
    """Whether the header names `media_type` itself, with at least the weight of JSON, the default."""
    weights = _weights(accept)
    weight = weights.get(media_type, 0.0)
    return weight > 0 and weight >= _weight(weights, _DEFAULT)


def _weights(accept: str) -> dict[str, float]:
    """Each media range's weight; a range that cannot be read has none."""
    weights: dict[str, float] = {}
    for entry in accept.lower().split(","):
        media_range, *parameters = (part.strip() for part in entry.split(";"))
        weights[media_range] = _quality(parameters)
    return weights


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0


def _weight(weights: dict[str, float], media_type: str) -> float:
    """The weight of the most specific range that covers it."""
    for media_range in (media_type, media_type.partition("/")[0] + "/*", "*/*"):
        if media_range in weights:
            return weights[media_range]
    return 0.0
