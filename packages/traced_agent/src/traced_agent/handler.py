"""One request from start to end: parse it, run the agent, respond; then the trace is exported."""

from traced_agent.cold_start import startup  # first: it prepares the imports below

# isort: split
import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from strands import Agent

from traced_agent import interrupts, logs, metrics, models, provider_errors
from traced_agent.auth.start import start_authenticator
from traced_agent.aws.boto3_session import check_endpoint, shared_session
from traced_agent.aws.idle_connections import IdleConnections
from traced_agent.errors import ApiError
from traced_agent.first_request import FirstRequest
from traced_agent.http import envelope, function_url
from traced_agent.http.function_url import Request, Response
from traced_agent.http.info import InfoRoutes, read_suggestions
from traced_agent.http.request_models import RunRequest
from traced_agent.http.routes import Routes, dispatch
from traced_agent.http.run_request import parse_request
from traced_agent.model_errors import to_api_error
from traced_agent.models import BuildModel
from traced_agent.run import Answer, Run, run_agent
from traced_agent.run_agents import RunAgents
from traced_agent.sessions.store import SessionStore, TimeLimits, Turn, turn
from traced_agent.settings import Settings, public_model_id
from traced_agent.streaming.response_writer import ResponseWriter, ResponseWriters
from traced_agent.tracing.after_response import AfterResponse, start_after_response
from traced_agent.tracing.observation import Observation
from traced_agent.tracing.start import start_tracing
from traced_agent.tracing.tracer import RunTracer

if TYPE_CHECKING:
    from traced_agent.auth.bearer import Authenticator

BuildAgent = Callable[..., Agent]
"""Builds the agent of one run: `build_agent(model, callback_handler=..., session_manager=...)`."""


_PUBLIC_PATHS = ("/health", "/ping")
"""What needs no token: load balancers and monitors have none."""


@dataclass(frozen=True)
class Exchange:
    """One request's run, and the writer of its response."""

    run: Run
    writer: ResponseWriter
    user_id: str | None = None
    """The subject of the request's bearer token, if the function checks tokens."""


@dataclass(frozen=True)
class Handler:
    """The function, ready for requests."""

    settings: Settings
    new_agent: BuildAgent
    tracer: RunTracer
    after_response: AfterResponse
    writers: ResponseWriters = field(default_factory=ResponseWriters)
    sessions: SessionStore | None = None
    authenticator: "Authenticator | None" = None
    suggestions: tuple[str, ...] = ()
    add_search: Callable[[Any], None] | None = None
    """Gives an agent the tool that searches the knowledge base, if one is configured."""
    connections: IdleConnections = field(default_factory=IdleConnections)
    first_request: FirstRequest = field(default_factory=lambda: FirstRequest(os.environ))

    @property
    def routes(self) -> Routes[Exchange]:
        """Every path, and the route of each of its methods."""
        info = InfoRoutes(
            self.settings, self.tracer.enabled, self.new_agent, self.suggestions, self.tracer.accepts_scores
        )
        return {
            "/": {**({"GET": info.home} if self.settings.page else {}), "POST": self.answer},
            "/invocations": {"POST": self.answer},
            "/health": {"GET": info.health},
            "/ping": {"GET": info.health},
            "/openapi.json": {"GET": info.openapi},
            **({"/feedback": {"POST": self.feedback}} if self.tracer.accepts_scores else {}),
        }

    def __call__(self, event: Any, context: Any) -> Any:
        """Turn a Lambda event into the response; every exception becomes an error response.

        Raises:
            EventSourceError: the event is from a service that receives no response.
        """
        function_url.reject_event_source(event)
        run = Run(context.get_remaining_time_in_millis() / 1000)
        self.first_request.arrived()
        write_timeout_s = run.remaining_s - self._reserve_s(run) / 2
        direct = not function_url.is_url_event(event)
        writer = self.writers.open(context.aws_request_id, write_timeout_s, direct=direct)
        with logs.run_context(run), writer:
            try:
                request = function_url.parse(event)
                response = dispatch(self.routes, request, Exchange(run, writer, self._authenticate(request)))
            except Exception as error:  # noqa: BLE001 - each becomes an error response
                response = self._error_response(run, error)
            returned = writer.finish(response)
            self.after_response.finish(context.aws_request_id, run.remaining_s)
        return returned

    def answer(self, request: Request, exchange: Exchange) -> Response:
        """Run the agent on the request's query, and trace the run."""
        run = exchange.run
        run_request = parse_request(
            request, exchange.user_id, has_knowledge_base=bool(self.settings.knowledge_base_id)
        )
        with self.tracer.observe(
            name=run_request.name,
            run_id=run.id,
            query={"query": run_request.text},
            **run_request.labels,
            traceparent=request.headers.get("traceparent"),
        ) as observation:
            run.links = observation.links
            try:
                answer = self._run_agent(
                    run_request, exchange, request.headers.get("accept", ""), observation
                )
            except Exception as error:
                api_error = self._to_api_error(error, run)
                observation.fail(api_error.code, api_error.message)
                run.links = observation.links
                raise
            observation.answer({"response": answer.response}, stop_reason=answer.stop_reason)
        logs.log_answer(run, answer)
        return envelope.success(run, run_request.text, answer, self._model_id(run))

    def _authenticate(self, request: Request) -> str | None:
        """The user who calls; None if the function checks no tokens, or the route needs none."""
        if self.authenticator is None or request.method == "OPTIONS" or request.path in _PUBLIC_PATHS:
            return None
        try:
            return self.authenticator.authenticate(request.headers)
        except ApiError:
            metrics.emit({metrics.REQUESTS_REJECTED: 1})
            raise

    def feedback(self, request: Request, _exchange: Exchange) -> Response:
        """Queue a user's score for a trace."""
        from traced_agent.http import feedback  # noqa: PLC0415 - not before the first answer

        return feedback.receive(request, self.tracer)

    def _run_agent(
        self, run_request: RunRequest, exchange: Exchange, accept: str, observation: Observation
    ) -> Answer:
        run, reserve_s = exchange.run, self._reserve_s(exchange.run)
        limits = TimeLimits(to_read=run.remaining_s - reserve_s, to_write=run.remaining_s - reserve_s / 2)
        ids = run_request.session_id, run_request.user_id
        with (
            turn(self.sessions, *ids, seconds=run.remaining_s, limits=limits) as session_turn,
            self.connections,
        ):
            prompt = interrupts.prompt(run_request, session_turn.interrupts if session_turn else ())
            first_event = {"run_id": run.id, "trace_id": run.links["trace_id"]}
            on_event = observation.record_text(exchange.writer.start_stream(accept, first_event))
            run.agents = RunAgents(self.settings.max_turns, self.settings.max_tokens, on_event)
            agent = self._agent(on_event, session_turn)
            if self.add_search:
                self.add_search(agent)
                run.agents.citations = []
            return run_agent(
                self.tracer.apply_prompt(agent),
                prompt,
                agents=run.agents,
                seconds=run.remaining_s - reserve_s,
                abandon=observation.abandon,
            )

    def _agent(self, on_event: Callable[..., None] | None, session_turn: Turn | None) -> Agent:
        manager = session_turn.manager if session_turn else None
        return self.new_agent(callback_handler=on_event, session_manager=manager)

    def _reserve_s(self, run: Run) -> float:
        """Seconds kept after the run: to store the turn, to write the response and to export the trace."""
        return min(run.deadline_s / 2, self.settings.trace_export_timeout_s + 1)

    def _error_response(self, run: Run, error: Exception) -> Response:
        api_error = self._to_api_error(error, run)
        logs.log_error(run, api_error, error)
        return envelope.failure(run, api_error)

    def _to_api_error(self, error: Exception, run: Run) -> ApiError:
        model_id = self._model_id(run)
        return provider_errors.to_api_error(error, model_id) or to_api_error(
            error, model_id, self.settings.bedrock_region
        )

    def _model_id(self, run: Run) -> str:
        """The public id of the run's model: of the fallback model if the run switched to it."""
        model_id = (run.agents and run.agents.fallback_model_id) or self.settings.bedrock_model_id
        return public_model_id(model_id)


def create_handler(
    build_model: BuildModel, build_agent: BuildAgent, environ: Mapping[str, str] = os.environ
) -> Handler:
    """Create the Lambda handler: call it once, while the module of the handler is imported.

    Args:
        build_model: `build_model(settings, boto3_session)` returns the model that all runs share.
        build_agent: `build_agent(model, callback_handler=..., session_manager=...)` returns a new agent for
            one run. The list `SUGGESTIONS` of its module, if there is one, contains questions for the page.
        environ: the environment variables that `Settings` reads.

    Returns:
        The handler, called with a Function URL event (payload 2.0) or a plain request body, and the context.

    Raises:
        SettingsError: a variable or SUGGESTIONS is invalid; the message, one line, names it.
    """
    settings = Settings.from_env(environ)
    logs.configure(settings.log_level)
    session = functools.partial(shared_session, settings.bedrock_region)
    tracer = start_tracing(settings, session)
    after_response = start_after_response(tracer.export if tracer.enabled else None, settings, environ)
    check_endpoint(environ)
    model = models.build(build_model, settings, session())
    settings = replace(settings, bedrock_model_id=models.model_id(model) or settings.bedrock_model_id)
    tracer.describe_model(model)
    sessions = SessionStore.start(settings, session, environ)
    handler = Handler(
        settings,
        functools.partial(build_agent, model),
        tracer,
        after_response,
        ResponseWriters(environ, streaming=settings.streaming, tool_details=settings.page),
        sessions,
        start_authenticator(settings),
        read_suggestions(build_agent),
        models.knowledge_base_search(settings, session),
        IdleConnections(session().clients),
        FirstRequest(environ),
    )
    startup.done()
    return handler
