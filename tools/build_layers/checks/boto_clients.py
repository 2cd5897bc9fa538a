"""The check of the slim build: code may only use clients of services that were kept."""

import ast
from collections.abc import Iterator, Mapping

from tools.build_layers.checks.candidate import Candidate

_FACTORIES = frozenset({"client", "resource", "create_client"})
_STRANDS = "strands"
_ALWAYS = ("strands.models.bedrock",)
"""What `import strands` imports."""


def clients(candidate: Candidate) -> Iterator[str]:
    """In a slim build, the handler and what it imports of Strands use only the services that were kept."""
    kept = {service for layer in candidate.layers for service in layer.services}
    if not kept:
        return
    handler = {path: source for path, source in candidate.handler_files().items() if path.endswith(".py")}
    strands = {
        path: data for layer in candidate.layers for path, data in _modules(layer.files, handler).items()
    }
    for path, source in {**handler, **strands}.items():
        for line, service in requested_services(source):
            where = f"{path}, line {line}"
            if service is None:
                yield f"{where}: the client's service is not a literal: write one, or keep all services"
            elif service not in kept:
                yield f"{where}: {service} was left out of botocore: add it to botocore-services.txt"


def requested_services(source: bytes) -> Iterator[tuple[int, str | None]]:
    """The services of the clients that a module creates, by line; None if a service is not a literal."""
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in _FACTORIES
        ):
            named = [word.value for word in node.keywords if word.arg == "service_name"]
            given = [*node.args[:1], *named]
            if given:
                name = given[0].value if isinstance(given[0], ast.Constant) else None
                yield node.lineno, name if isinstance(name, str) else None


def _modules(files: Mapping[str, bytes], handler: Mapping[str, bytes]) -> dict[str, bytes]:
    """Strands' own modules that the handler imports by name, anywhere in its code."""
    names = {*_ALWAYS, *(name for source in handler.values() for name in _imported(source))}
    stems = [name.replace(".", "/") for name in names if name.split(".")[0] == _STRANDS]
    paths = {path for stem in stems for path in (f"{stem}.py", f"{stem}/__init__.py")}
    return {path: files[path] for path in sorted(paths & files.keys())}


def _imported(source: bytes) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
