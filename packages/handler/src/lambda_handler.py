"""The function's entry: the story of one request."""

from traced_agent import cold_start  # first, before all that is heavy

# isort: split
import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from strands import Agent

from traced_agent import after_response, aws, envelope, function_url, logs, metrics, query, tracing
from traced_agent.about import About
from traced_agent.agent import build_agent, build_model
from traced_agent.errors import Problem, explain
from traced_agent.function_url import Request, Response
from traced_agent.query import Asked
from traced_agent.reply import Replies
from traced_agent.routes import Routes, dispatch
from traced_agent.run import Answer, Run, answer
from traced_agent.sessions import Sessions, turn
from traced_agent.settings import Settings


@dataclass(frozen=True)
class Handler:
    """The function, ready for requests."""

    settings: Settings
    new_agent: Callable[..., Agent]
    tracing: tracing.Tracing
    after_response: after_response.AfterResponse
    replies: Replies = field(default_factory=Replies)
    sessions: Sessions | None = None

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Make, once, what all requests share.

        Raises:
            SettingsError: a variable is wrong; in one line that names it.
        """
        settings = Settings.from_env(environ)
        logs.start(settings.log_level)
        session = functools.partial(aws.session, settings.bedrock_region)
        traces = tracing.start(settings, session)
        after = after_response.start(traces.export if traces.enabled else None, settings, environ)
        new_agent = functools.partial(build_agent, build_model(settings, session()))
        replies = Replies(environ, streaming=settings.streaming)
        return cls(settings, new_agent, traces, after, replies, Sessions.start(settings, session, environ))

    @property
    def routes(self) -> Routes:
        """Every path, and what answers each of its methods."""
        about = About(self.settings, traced=self.tracing.enabled)
        return {
            "/": {**({"GET": about.home} if self.settings.page else {}), "POST": self.ask},
            "/invocations": {"POST": self.ask},
            "/health": {"GET": about.health},
            "/ping": {"GET": about.health},
            "/openapi.json": {"GET": about.openapi},
        }

    def __call__(self, event: Any, context: Any) -> Any:
        """Take an event to its response, whatever happens on the way."""
        run = Run(context.get_remaining_time_in_millis() / 1000)
        patience_s = run.remaining_s - self._reserve_s(run) / 2
        with logs.about(run), self.replies.to(context.aws_request_id, patience_s) as run.reply:
            try:
                response = dispatch(self.routes, function_url.parse(event), run)
            except Exception as error:  # noqa: BLE001 - each of them ends in the contract's envelope
                response = self._refuse(run, error)
            returned = run.reply.finish(response)
            self.after_response.finish(context.aws_request_id, run.remaining_s)
        return returned

    def ask(self, request: Request, run: Run) -> Response:
        """Have the agent answer what the request asks, and trace it."""
        asked = query.read(request)
        with self.tracing.observe(
            name=asked.name,
            run_id=run.id,
            query={"query": asked.text},
            **asked.labels,
            traceparent=request.headers.get("traceparent"),
        ) as observation:
            run.links = observation.links
            try:
                answered = self._run_agent(asked, run, request.headers.get("accept", ""))
            except Exception as error:
                problem = self._explain(error)
                observation.fail(problem.code, problem.message)
                raise
            observation.answer({"response": answered.response})
        logs.answered(run, answered)
        return envelope.answered(run, asked.text, answered, self.settings.bedrock_model_id)

    def _run_agent(self, asked: Asked, run: Run, accept: str) -> Answer:
        with turn(self.sessions, asked.session_id, asked.user_id, seconds=run.remaining_s) as session_manager:
            hear = run.reply.begin(accept, {"run_id": run.id, "trace_id": run.links["trace_id"]})
            return answer(
                self.new_agent(callback_handler=hear, session_manager=session_manager),
                asked.text,
                limits={"turns": self.settings.max_turns, "output_tokens": self.settings.max_tokens},
                seconds=run.remaining_s - self._reserve_s(run),
            )

    def _reserve_s(self, run: Run) -> float:
        """What is left after the answer: for its way out and for the traces."""
        return min(run.remaining_s / 2, self.settings.trace_export_timeout_s + 1)

    def _refuse(self, run: Run, error: Exception) -> Response:
        problem = self._explain(error)
        logs.refused(run, problem, error)
        return envelope.refused(run, problem)

    def _explain(self, error: Exception) -> Problem:
        return explain(error, self.settings.bedrock_model_id, self.settings.bedrock_region)


handler = Handler.from_env(os.environ)
metrics.emit({metrics.COLD_STARTS: 1})
cold_start.done()
