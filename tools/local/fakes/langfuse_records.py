"""The records of the fake Langfuse server that are not traces: project, prompts, scores and data sets.

Status codes and shapes are those of https://api.reference.langfuse.com.
"""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

PROJECT_ID = "local"

Answer = tuple[int, Any]
"""A status code, and what becomes the JSON body."""


@dataclass
class LangfuseRecords:
    """What the server stores; `answer` handles one request of the public API."""

    version: str = "4.59.0"
    """The version of Langfuse that the server reports."""
    prompts: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    """By name and label: an object with `type`, `prompt`, `version`."""
    scores: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By id; a score that is sent again with the same id replaces the first."""
    datasets: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Items by the name of the data set."""
    run_items: list[dict[str, Any]] = field(default_factory=list)
    """The items of experiments on data sets."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> Answer | None:
        """The response to a request; None for a path that the fake does not have."""
        routes: dict[str, Callable[[], Answer]] = {
            "GET /api/public/projects": lambda: (200, {"data": [_PROJECT]}),
            "POST /api/public/scores": lambda: self._create_scores(json.loads(body)),
            "GET /api/public/dataset-items": lambda: self._items(query.get("datasetName", "")),
            "POST /api/public/dataset-run-items": lambda: self._run_item(json.loads(body)),
        }
        if route := routes.get(f"{method} {path}"):
            return route()
        if method == "GET" and path.startswith("/api/public/v2/prompts/"):
            return self._prompt(unquote(path.rpartition("/")[2]), query.get("label", "production"))
        if method == "GET" and path.startswith("/api/public/v2/datasets/"):
            return self._dataset(unquote(path.rpartition("/")[2]))
        return None

    def _prompt(self, name: str, label: str) -> Answer:
        prompt = self.prompts.get((name, label))
        if prompt is None:
            return 404, {
                "message": f"Prompt not found: '{name}' with label '{label}'",
                "error": "LangfuseNotFoundError",
            }
        return 200, {"name": name, "labels": [label], "tags": [], "config": {}, "type": "text", **prompt}

    def _create_scores(self, body: Any) -> Answer:
        scores = body if isinstance(body, list) else [body]
        for score in scores:
            if not (
                score.get("name") and "value" in score and (score.get("traceId") or score.get("sessionId"))
            ):
                return 400, {"message": "Invalid request data", "error": [{"path": ["traceId"]}]}
        with self._lock:
            for score in scores:
                self.scores[score.get("id") or f"score-{len(self.scores)}"] = score
        return 200, {"id": scores[-1].get("id")} if isinstance(body, dict) else {
            "successes": scores,
            "errors": [],
        }

    def _dataset(self, name: str) -> Answer:
        if name not in self.datasets:
            return 404, {"message": "Dataset not found", "error": "LangfuseNotFoundError"}
        return 200, {
            "id": f"id-{name}",
            "name": name,
            "metadata": None,
            "inputSchema": None,
            "expectedOutputSchema": None,
            "projectId": PROJECT_ID,
            **_TIMES,
        }

    def _items(self, name: str) -> Answer:
        items = [
            {
                "id": f"item-{number}",
                "status": "ACTIVE",
                "datasetId": f"id-{name}",
                "datasetName": name,
                "metadata": None,
                "expectedOutput": None,
                "mediaReferences": [],
                **_TIMES,
                **item,
            }
            for number, item in enumerate(self.datasets.get(name, []))
        ]
        meta = {"page": 1, "limit": 50, "totalItems": len(items), "totalPages": 1}
        return 200, {"data": items, "meta": meta}

    def _run_item(self, body: dict[str, Any]) -> Answer:
        with self._lock:
            self.run_items.append(body)
        known = {"id": f"run-item-{len(self.run_items)}", "datasetRunId": f"run-{body.get('runName')}"}
        return 200, {**body, **known, "datasetRunName": body.get("runName"), **_TIMES}


_PROJECT = {
    "id": PROJECT_ID,
    "name": "local",
    "organization": {"id": "local", "name": "local"},
    "metadata": {},
    "retentionDays": None,
}
_TIMES = {"createdAt": "2026-11-01T00:00:00.000Z", "updatedAt": "2026-11-01T00:00:00.000Z"}
