"""Retrieval from an Amazon Bedrock knowledge base, as a tool of the agent.

What the tool finds in a run becomes the `citations` of the answer.
Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_agent-runtime_Retrieve.html
"""

import functools
import logging
from collections.abc import Callable, Mapping
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from strands import Agent, tool
from strands.types.tools import AgentTool

from traced_agent import run_agents

_RESULTS = 5
_TIMES = Config(connect_timeout=3, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 2})
_LOCATIONS = {
    "s3Location": "uri",
    "webLocation": "url",
    "confluenceLocation": "url",
    "salesforceLocation": "url",
    "sharePointLocation": "url",
    "kendraDocumentLocation": "uri",
    "customDocumentLocation": "id",
    "sqlLocation": "query",
}
"""Where each kind of location names the document."""

logger = logging.getLogger(__name__)


def add_search(agent: Any, search: AgentTool) -> None:
    """Add the tool to an agent that lacks it; a graph or a swarm has no tools of its own."""
    if isinstance(agent, Agent) and search.tool_name not in agent.tool_names:
        agent.tool_registry.register_tool(search)


def search_tool(knowledge_base_id: str, session: Callable[[], boto3.Session]) -> AgentTool:
    """The tool `search_knowledge_base`.

    Args:
        knowledge_base_id: the knowledge base, in the session's region.
        session: gives the boto3 session; the client is made at the first search.
    """

    @functools.cache
    def client() -> Any:
        return session().client("bedrock-agent-runtime", config=_TIMES)

    @tool
    def search_knowledge_base(query: str) -> str:
        """Search the knowledge base for passages that answer a question.

        Args:
            query: What to search for, in a full sentence.
        """
        try:
            found = client().retrieve(
                knowledgeBaseId=knowledge_base_id,
                retrievalQuery={"text": query},
                retrievalConfiguration={"vectorSearchConfiguration": {"numberOfResults": _RESULTS}},
            )
        except (BotoCoreError, ClientError) as error:
            logger.exception("the knowledge base cannot be searched")
            raise RuntimeError(_problem(error, knowledge_base_id)) from None
        citations = [_citation(result) for result in found["retrievalResults"]]
        if run := run_agents.current():
            run.cite(citations)
        if not citations:
            return "The knowledge base has nothing about this."
        return "\n\n".join(f"[{one['source']}]\n{one['text']}" for one in citations)

    return search_knowledge_base


def _citation(result: Mapping[str, Any]) -> dict[str, Any]:
    location = result.get("location", {})
    source = next((location[kind].get(name) for kind, name in _LOCATIONS.items() if kind in location), None)
    text = result.get("content", {}).get("text", "")
    return {"text": text, "source": source or "unknown", "score": result.get("score")}


def _problem(error: Exception, knowledge_base_id: str) -> str:
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
    if code == "ResourceNotFoundException":
        return (
            f"the knowledge base {knowledge_base_id} does not exist in this region: check KNOWLEDGE_BASE_ID"
        )
    if code == "AccessDeniedException":
        return f"the function's role may not search {knowledge_base_id}: allow it bedrock:Retrieve"
    return f"the knowledge base cannot be searched now ({code})"
