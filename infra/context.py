"""Reads the CDK context into a dataclass: `-c` over environment over default, all else refused."""

from collections.abc import Callable, Mapping
from dataclasses import Field, field, fields
from typing import Any, TypeVar

from traced_agent.settings import Settings

T = TypeVar("T")
_SETTINGS: dict[str, Field[Any]] = {setting.name: setting for setting in fields(Settings)}


class ContextError(ValueError):
    """A key or a value that cannot be used; the message, one line, says what can."""


def key(says: str, *, parse: Callable[[str], Any], default: Any, variables: tuple[str, ...] = ()) -> Any:
    """A context key of the stack; `variables` override the environment variable of the same name."""
    return field(default=default, metadata={"says": says, "parse": parse, "variables": variables})


def parser(name: str) -> Callable[[str], Any]:
    """What parses one of the function's settings."""
    return _SETTINGS[name].metadata["parse"]  # type: ignore[no-any-return]


def setting(name: str, says: str) -> Any:
    """A context key that is one of the function's settings: its variables, its parser, its default."""
    of = _SETTINGS[name]
    metadata = {
        "says": says,
        "parse": of.metadata["parse"],
        "variables": Settings.variables(name),
        "setting": name,
    }
    return field(default=of.default, metadata=metadata)


def variables(key: Field[Any]) -> tuple[str, ...]:
    """The environment variables that a key is read from, the strongest first."""
    return tuple(key.metadata["variables"]) or (key.name.upper(),)


def read(kind: type[T], context: Mapping[str, Any], environ: Mapping[str, str]) -> T:
    """Fill the dataclass `kind` from the context that the CDK was given and from the environment.

    Raises:
        ContextError: a key that `kind` does not have, or a value that its key does not take.
    """
    keys = {key.name: key for key in fields(kind)}  # type: ignore[arg-type]
    for name in context:
        if name not in keys and not {":", "@"} & set(name):  # those are the CDK's own
            raise ContextError(f"context key {name} is unknown: use one of {', '.join(sorted(keys))}")
    return kind(
        **{name: value for name in keys if (value := _value(keys[name], context, environ)) is not None}
    )


def settings(context: Any) -> dict[str, Any]:
    """The values of those keys that are settings of the function, by the settings' names."""
    of = {key.metadata["setting"]: key.name for key in fields(context) if "setting" in key.metadata}
    return {setting: getattr(context, name) for setting, name in of.items()}


def _value(key: Field[Any], context: Mapping[str, Any], environ: Mapping[str, str]) -> Any:
    given = {f"-c {key.name}": str(context.get(key.name, ""))} | {
        variable: environ.get(variable, "") for variable in variables(key)
    }
    for source, text in given.items():
        if text.strip():
            try:
                return key.metadata["parse"](text.strip())
            except ValueError as error:
                raise ContextError(f"{source}={text.strip()} is not possible: give {error}") from None
    return None


def switch(text: str) -> bool:
    """Parse `true` or `false`."""
    return choice("true", "false")(text.lower()) == "true"


def choice(*choices: str) -> Callable[[str], str]:
    """A parser that takes one of the choices."""

    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(" or ".join(choices))
        return text

    return parse


def number(least: int, most: int) -> Callable[[str], int]:
    """A parser of whole numbers in a range, both ends included."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise ValueError(f"a whole number from {least} to {most}")
        return int(text)

    return parse


def one_of(*numbers: int) -> Callable[[str], int]:
    """A parser that takes one of the numbers."""
    return lambda text: int(choice(*map(str, numbers))(text))
