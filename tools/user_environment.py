"""The user's environment: its variables, and the file `.env`."""

import io
import os
from collections.abc import Mapping
from pathlib import Path

import dotenv

from tools.command import Failure

DOTENV = Path(__file__).parents[1] / ".env"


def read(
    environ: Mapping[str, str] = os.environ,
    file: Path = DOTENV,
    *,
    prefixes: tuple[str, ...] = ("LANGFUSE_",),
) -> dict[str, str]:
    """The environment, completed by the variables of the file whose names begin with a prefix.

    A variable of the environment wins, unless it is empty.

    Raises:
        Failure: the file is not UTF-8 text.
    """
    try:
        content = file.read_text("utf-8-sig") if file.exists() else ""
    except (OSError, UnicodeDecodeError):
        raise Failure(f"{file.name} cannot be read as UTF-8 text: save it with the encoding UTF-8") from None
    if "\0" in content:
        raise Failure(f"{file.name} cannot be read as UTF-8 text: save it with the encoding UTF-8")
    from_file = dotenv.dotenv_values(stream=io.StringIO(content))
    chosen = {name: value for name, value in from_file.items() if value and name.startswith(prefixes)}
    return {**environ, **{name: value for name, value in chosen.items() if not environ.get(name)}}
