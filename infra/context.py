"""Reads the CDK context into a dataclass: `-c` and `cdk.json` over the environment over the default."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import Field, field, fields
from typing import Any, TypeVar

from traced_agent.settings import Settings

T = TypeVar("T")
_SETTINGS: dict[str, Field[Any]] = {setting.name: setting for setting in fields(Settings)}

CLI_KEYS = ("acknowledged-issue-numbers", "cli-telemetry")
"""What `cdk acknowledge` and `cdk cli-telemetry` write into the context."""


_CREDENTIALS = re.compile(r"//[^/]*@")
"""The credentials in an address, which no message shows."""


class ContextError(ValueError):
    """A key or a value that cannot be used; the message is one line and names what can be used."""


class LayerError(RuntimeError):
    """A layer that cannot be deployed; the message names it and the command to run."""


def key(
    description: str, *, parse: Callable[[str], Any], default: Any, variables: tuple[str, ...] = ()
) -> Any:
    """A context key of the stack; `variables` replace the environment variable of the same name."""
    return field(
        default=default, metadata={"description": description, "parse": parse, "variables": variables}
    )


def parser(name: str) -> Callable[[str], Any]:
    """The parser of one of the function's settings."""
    return _SETTINGS[name].metadata["parse"]  # type: ignore[no-any-return]


def setting(name: str, description: str, *, parse: Callable[[str], Any] | None = None) -> Any:
    """A context key that is one of the function's settings: its variables, its parser, its default."""
    source = _SETTINGS[name]
    metadata = {
        "description": description,
        "parse": parse or source.metadata["parse"],
        "variables": Settings.variables(name),
        "setting": name,
    }
    return field(default=source.default, metadata=metadata)


def variables(key: Field[Any]) -> tuple[str, ...]:
    """The environment variables that a key is read from, the strongest first."""
    return tuple(key.metadata["variables"]) or (key.name.upper(),)


def read(
    kind: type[T],
    context: Mapping[str, Any],
    environ: Mapping[str, str],
    *,
    foreign: Collection[str] = (),
) -> T:
    """Fill the dataclass `kind` from the context that the CDK was given and from the environment.

    Keys of the CDK and its CLI are ignored, and so are the `foreign` keys unless `kind` has them.

    Raises:
        ContextError: a key that `kind` does not have, or a value that its key does not take.
    """
    keys = {key.name: key for key in fields(kind)}  # type: ignore[arg-type]
    for name in context:
        if not (name in keys or name in CLI_KEYS or name in foreign or {":", "@"} & set(name)):
            raise ContextError(f"unknown context key {name}: use one of {', '.join(sorted(keys))}")
    return kind(
        **{name: value for name in keys if (value := _value(keys[name], context, environ)) is not None}
    )


def settings(context: Any) -> dict[str, Any]:
    """The values of those keys that are settings of the function, by the settings' names."""
    names = {key.metadata["setting"]: key.name for key in fields(context) if "setting" in key.metadata}
    return {setting: getattr(context, name) for setting, name in names.items()}


def _value(key: Field[Any], context: Mapping[str, Any], environ: Mapping[str, str]) -> Any:
    sources = {f"-c {key.name}": _text(context.get(key.name))} | {
        variable: environ.get(variable, "") for variable in variables(key)
    }
    for source, text in sources.items():
        if text.strip():
            try:
                return key.metadata["parse"](text.strip())
            except ValueError as error:
                shown = _CREDENTIALS.sub("//…@", text.strip())
                raise ContextError(
                    f"invalid value for {key.name} ({source}={shown}): expected {error}"
                ) from None
    return None


def _text(value: Any) -> str:
    """A value of the context as `-c` would give it: `cdk.json` may also contain numbers, lists and null."""
    if value is None:
        return ""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
