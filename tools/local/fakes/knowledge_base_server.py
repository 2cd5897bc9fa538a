"""A fake bedrock-agent-runtime: a knowledge base that gives the same results for the same query.

Point boto3 at it with AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME.
"""

import json
import re
from typing import Any

from tools.local.http.exchange import HttpExchange
from tools.local.http.server import HttpServer

MISSING = "MISSING000"
"""The id of a knowledge base that does not exist."""

PASSAGES = (
    ("s3://documents/returns.txt", "Articles can be returned within 30 days, with the receipt."),
    ("s3://documents/delivery.txt", "Delivery takes two to four working days. It is free above 50 euros."),
    ("https://example.com/warranty", "Every article has a warranty of two years."),
)
"""What the knowledge base contains: source and text."""

_PATH = re.compile(r"/knowledgebases/([0-9A-Z]+)/retrieve")


class FakeKnowledgeBase(HttpServer):
    """The server: `with FakeKnowledgeBase() as knowledge_base: … knowledge_base.url`."""

    def __init__(self, *, port: int = 0) -> None:
        self.queries: list[str] = []
        """Every query, oldest first."""
        super().__init__(self._respond, port=port)

    def _respond(self, exchange: HttpExchange) -> None:
        path = _PATH.fullmatch(exchange.path)
        if not path or path[1] == MISSING:
            message = f"Knowledge base with id {path[1] if path else ''} does not exist"
            return exchange.answer(
                404,
                json.dumps({"message": message}).encode(),
                headers={"x-amzn-ErrorType": "ResourceNotFoundException"},
            )
        request = json.loads(exchange.body())
        self.queries.append(request["retrievalQuery"]["text"])
        search = request.get("retrievalConfiguration", {}).get("vectorSearchConfiguration", {})
        results = _results(self.queries[-1])[: search.get("numberOfResults", 5)]
        return exchange.answer(200, json.dumps({"retrievalResults": results}).encode())


def _results(query: str) -> list[dict[str, Any]]:
    """The passages by the share of the query's words that they contain."""
    words = set(re.findall(r"\w{3,}", query.lower()))
    scored = [
        (len(words & set(re.findall(r"\w{3,}", text.lower()))) / max(len(words), 1), source, text)
        for source, text in PASSAGES
    ]
    return [
        {"content": {"text": text}, "location": _location(source), "score": round(score, 3)}
        for score, source, text in sorted(scored, reverse=True)
    ]


def _location(source: str) -> dict[str, Any]:
    if source.startswith("s3:"):
        return {"type": "S3", "s3Location": {"uri": source}}
    return {"type": "WEB", "webLocation": {"url": source}}
