"""The gate of the slim build: whoever asks for a client must find its service."""

import ast
from collections.abc import Iterator, Mapping

from tools.build_layers.gates.candidate import Candidate

_MAKERS = frozenset({"client", "resource", "create_client"})
_STRANDS = "strands"
_ALWAYS = ("strands.models.bedrock",)
"""What `import strands` brings along."""


def clients(candidate: Candidate) -> Iterator[str]:
    """In a slim build, handler, tools and what they use of Strands ask for no service that was cut."""
    kept = {service for tree in candidate.trees for service in tree.services}
    if not kept:
        return
    handler = {path: source for path, source in candidate.handler_files().items() if path.endswith(".py")}
    strands = {path: data for tree in candidate.trees for path, data in _modules(tree.files, handler).items()}
    for path, source in {**handler, **strands}.items():
        for line, service in asked(source):
            where = f"{path}, line {line}"
            if service is None:
                yield f"{where}: the client asked for is not named there: name it, or keep all services"
            elif service not in kept:
                yield f"{where}: {service} was cut from botocore: name it in botocore-services.txt"


def asked(source: bytes) -> Iterator[tuple[int, str | None]]:
    """The services that a module makes clients of, with the line; None where that cannot be read from it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _MAKERS:
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
