"""A session in memory: a Strands session repository over the session's one JSON document."""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, cast

from strands.session import SessionRepository
from strands.types.session import Session, SessionAgent, SessionMessage

from traced_agent.sessions.conversation import Message, repair

if TYPE_CHECKING:
    from strands.multiagent.base import MultiAgentBase
    from strands.types.content import Message as StrandsMessage

logger = logging.getLogger(__name__)


class SessionDocument(SessionRepository):
    """The state of one session's agents. Nothing leaves it until the store writes `to_json`.

    So a turn that fails leaves nothing behind, and what an abandoned run adds is never stored.
    """

    def __init__(self, content: Mapping[str, Any] | None = None) -> None:
        content = content or {}
        self._session: Session | None = None
        self._agents: dict[str, SessionAgent] = {}
        self._messages: dict[str, list[SessionMessage]] = {}
        self._multi_agents: dict[str, Any] = dict(content.get("multi_agents", {}))
        for agent_id, stored in content.get("agents", {}).items():
            self._agents[agent_id] = SessionAgent.from_dict(stored["agent"])
            self._messages[agent_id] = [
                SessionMessage.from_dict({"message_id": index, **message})
                for index, message in enumerate(stored["messages"])
            ]

    @classmethod
    def from_json(cls, body: bytes) -> Self:
        """Read a stored session; what is damaged is dropped, with one log line."""
        try:
            document = cls(dict(json.loads(body)))
            if not document.message_count:
                raise ValueError("it has no messages")  # noqa: TRY301 - logged below
            repaired = document.repair()
        except Exception as error:  # noqa: BLE001 - whatever was stored must not fail every later turn
            logger.warning("a stored session cannot be read; a new one starts: %s", type(error).__name__)
            return cls()
        if repaired:
            logger.warning("a stored session was damaged: its valid messages continue it")
        return document

    def to_json(self) -> bytes:
        """The session as it is stored: a conversation that Bedrock accepts."""
        self.repair()
        agents = {
            agent_id: {
                "agent": agent.to_dict(),
                "messages": [message.to_dict() for message in self._messages[agent_id]],
            }
            for agent_id, agent in self._agents.items()
        }
        content = {"version": 1, "agents": agents, "multi_agents": self._multi_agents}
        return json.dumps(content, default=str).encode()

    @property
    def message_count(self) -> int:
        """How many messages the session has."""
        return sum(map(len, self._messages.values()))

    @property
    def interrupts(self) -> Sequence[str]:
        """The ids of the interrupts that wait for a response."""
        return [
            interrupt_id
            for agent in self._agents.values()
            for interrupt_id, interrupt in _interrupt_state(agent).get("interrupts", {}).items()
            if interrupt["response"] is None
        ]

    def repair(self) -> bool:
        """Make each agent's conversation, as the model sees it, valid; returns whether any was not."""
        changed = False
        for agent_id, agent in self._agents.items():
            offset = int((agent.conversation_manager_state or {}).get("removed_message_count", 0))
            stored = self._messages[agent_id]
            seen: list[Message] = [dict(message.to_message()) for message in stored[offset:]]
            valid = repair(seen, interrupted=_interrupted(agent))
            if _waits_for_tools(agent) and not any("toolUse" in block for block in _last_content(valid)):
                agent._internal_state = {}  # noqa: SLF001 - the interrupted tool call is lost
                valid = repair(valid)
            if valid != seen:
                changed = True
                self._messages[agent_id] = stored[:offset] + [
                    SessionMessage.from_message(cast("StrandsMessage", message), offset + index)
                    for index, message in enumerate(valid)
                ]
        return changed

    def create_session(self, session: Session, **_kwargs: Any) -> Session:
        """Keep the session's head."""
        self._session = session
        return session

    def read_session(self, session_id: str, **_kwargs: Any) -> Session | None:
        """The session's head; None for a new session."""
        if self._session is None and self._agents:
            self._session = Session.from_dict({"session_id": session_id, "session_type": "AGENT"})
        return self._session

    def create_agent(self, session_id: str, session_agent: SessionAgent, **_kwargs: Any) -> None:  # noqa: ARG002
        """Keep an agent that the session did not have."""
        self._agents[session_agent.agent_id] = session_agent
        self._messages[session_agent.agent_id] = []

    def read_agent(self, session_id: str, agent_id: str, **_kwargs: Any) -> SessionAgent | None:  # noqa: ARG002
        """An agent's state."""
        return self._agents.get(agent_id)

    def update_agent(self, session_id: str, session_agent: SessionAgent, **_kwargs: Any) -> None:  # noqa: ARG002
        """Replace an agent's state."""
        self._agents[session_agent.agent_id] = session_agent

    def create_message(
        self,
        session_id: str,  # noqa: ARG002
        agent_id: str,
        session_message: SessionMessage,
        **_kwargs: Any,
    ) -> None:
        """Append a message."""
        self._messages[agent_id].append(session_message)

    def read_message(
        self,
        session_id: str,  # noqa: ARG002
        agent_id: str,
        message_id: int,
        **_kwargs: Any,
    ) -> SessionMessage | None:
        """A message by its id."""
        found = (message for message in self._messages[agent_id] if message.message_id == message_id)
        return next(found, None)

    def update_message(
        self,
        session_id: str,  # noqa: ARG002
        agent_id: str,
        session_message: SessionMessage,
        **_kwargs: Any,
    ) -> None:
        """Replace a message, as when a guardrail redacts it."""
        messages = self._messages[agent_id]
        for index, message in enumerate(messages):
            if message.message_id == session_message.message_id:
                messages[index] = session_message

    def list_messages(
        self,
        session_id: str,  # noqa: ARG002
        agent_id: str,
        limit: int | None = None,
        offset: int = 0,
        **_kwargs: Any,
    ) -> list[SessionMessage]:
        """An agent's messages in order, from `offset` on."""
        return self._messages[agent_id][offset : None if limit is None else offset + limit]

    def create_multi_agent(self, session_id: str, multi_agent: "MultiAgentBase", **_kwargs: Any) -> None:  # noqa: ARG002
        """Keep the state of a graph or swarm."""
        self._multi_agents[multi_agent.id] = multi_agent.serialize_state()

    def read_multi_agent(
        self,
        session_id: str,  # noqa: ARG002
        multi_agent_id: str,
        **_kwargs: Any,
    ) -> dict[str, Any] | None:
        """The state of a graph or swarm."""
        state: dict[str, Any] | None = self._multi_agents.get(multi_agent_id)
        return state

    def update_multi_agent(self, session_id: str, multi_agent: "MultiAgentBase", **_kwargs: Any) -> None:  # noqa: ARG002
        """Replace the state of a graph or swarm."""
        self._multi_agents[multi_agent.id] = multi_agent.serialize_state()


def _interrupt_state(agent: SessionAgent) -> Mapping[str, Any]:
    state = agent._internal_state.get("interrupt_state", {})  # noqa: SLF001 - as Strands stores it
    return state if state.get("activated") else {}


def _interrupted(agent: SessionAgent) -> bool:
    return bool(_interrupt_state(agent))


def _waits_for_tools(agent: SessionAgent) -> bool:
    return bool(_interrupt_state(agent).get("pending_tool_execution"))


def _last_content(messages: Sequence[Message]) -> Sequence[Mapping[str, Any]]:
    return messages[-1]["content"] if messages else ()
