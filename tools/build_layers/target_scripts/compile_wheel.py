"""Compiles wheels for a layer, with the bytecode of the interpreter that runs this script.

Reads lines `<wheel> TAB <target>` and answers each with an empty line once the target is written: a zip of
everything that the wheel puts under `python/`, with its bytecode, ready to be copied into a layer. It depends
on nothing but the wheel and the interpreter.
"""

import base64
import csv
import hashlib
import importlib.util
import io
import json
import marshal
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from zipfile import ZipFile, ZipInfo

from tools.zip_entries import (
    MOUNTED,
    ROOT,
    Entry,
    compress,
    move,
    read_entries,
    unsafe_reason,
    write_zip,
)

SCRIPTS = "bin/"
"""Where `pip install --target` puts programs; nothing imports them."""

_SHOWN = 5
"""Irregularities of one wheel that are reported."""

UNCHECKED_HASH = 0b01
"""The flag field of a .pyc that is used without a look at its source (PEP 552)."""


def installed_path(path: str) -> str:
    """Where a wheel's file goes under `ROOT`: the same place as with `pip install --target`."""
    match = re.fullmatch(r"([^/]+)-[^/]+\.data/(purelib|platlib|data|scripts|headers)/(.+)", path)
    folders = {"scripts": SCRIPTS, "headers": f"include/{match[1]}/"} if match else {}
    return folders.get(match[2], "") + match[3] if match else path


def bytecode(path: str, source: bytes) -> bytes | None:
    """An unchecked-hash .pyc of a source at its place on Lambda; None for a file that is not valid Python.

    Wheels may contain such files, as templates or for other Pythons; pip skips them too.
    """
    try:
        code = compile(source, MOUNTED + path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return None
    flags = UNCHECKED_HASH.to_bytes(4, "little")
    return importlib.util.MAGIC_NUMBER + flags + importlib.util.source_hash(source) + marshal.dumps(code)


def is_module(path: str) -> bool:
    """Whether a path is a source that may be imported."""
    return path.endswith(".py") and not path.startswith(SCRIPTS)


def cached_path(path: str) -> str:
    """Where the interpreter looks for a source's bytecode."""
    folder, _, name = path.rpartition("/")
    tag = sys.implementation.cache_tag
    return f"{folder}/__pycache__/{name[:-3]}.{tag}.pyc".lstrip("/")


def _record_row(data: bytes) -> list[str]:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return [f"sha256={digest}", str(len(data))]


def compiled_entries(data: bytes) -> tuple[list[Entry], list[str]]:
    """Everything that a wheel installs, and its bytecode, sorted, with the RECORD of just that.

    Returns:
        The entries, and a line for each irregularity of the wheel that makes no difference when it is used.
    """
    with ZipFile(io.BytesIO(data)) as wheel:
        stored = {installed_path(entry.path): entry for entry in read_entries(wheel, data)}
        _reject_unsafe(entry.info for entry in stored.values())
        record, rows = _record(stored)
        irregular = _made_complete(record, rows, stored)
        parts = {path: move(entry, ROOT + path) for path, entry in stored.items()}
        for path in sorted(filter(is_module, stored)):
            if (compiled := bytecode(path, wheel.read(stored[path].info))) is not None:
                parts[cached_path(path)] = compress(ROOT + cached_path(path), compiled)
                rows[cached_path(path)] = _record_row(compiled)
        for path in [path for path in stored if path.startswith(SCRIPTS)]:
            script = _with_interpreter(wheel.read(stored[path].info))
            parts[path] = compress(ROOT + path, script, executable=True)
            rows[path] = _record_row(script)
    for signature in (".jws", ".p7s"):  # they sign the wheel's own RECORD, which this one is not
        parts.pop(record + signature, None)
        rows.pop(record + signature, None)
    rows[record] = ["", ""]
    parts[record] = compress(ROOT + record, record_text(rows).encode())
    return [parts[path] for path in sorted(parts)], irregular


def _record(stored: Mapping[str, Entry]) -> tuple[str, dict[str, list[str]]]:
    """The path of the wheel's RECORD, and its rows by the path where each file is installed."""
    records = [path for path in stored if re.fullmatch(r"[^/]+\.dist-info/RECORD", path)]
    if len(records) != 1:
        raise ValueError(
            f"it has {len(records)} files *.dist-info/RECORD instead of 1: do not use this wheel"
        )
    lines = csv.reader(stored[records[0]].read().decode("utf-8", "replace").splitlines())
    return records[0], {installed_path(row[0]): row[1:] for row in lines if row}


def _made_complete(record: str, rows: dict[str, list[str]], stored: Mapping[str, Entry]) -> list[str]:
    """Make the RECORD list the files that are there, as pip installs a wheel in which they differ."""
    irregular = []
    for path in sorted(rows.keys() - stored.keys()):
        del rows[path]
        irregular.append(f"{path} is in the wheel's RECORD and not in the wheel")
    signatures = (record, record + ".jws", record + ".p7s")
    for path in sorted(stored.keys() - rows.keys() - set(signatures)):
        rows[path] = _record_row(stored[path].read())
        irregular.append(f"{path} is in the wheel and not in its RECORD")
    return irregular


def _reject_unsafe(members: Iterable[ZipInfo]) -> None:
    for member in members:
        if reason := unsafe_reason(ZipInfo(installed_path(member.filename))) or unsafe_reason(member):
            raise ValueError(f"{member.filename!r} {reason}: do not use this wheel")


def record_text(rows: dict[str, list[str]]) -> str:
    """A RECORD of the rows, by path."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([path, *rows[path]] for path in sorted(rows))
    return text.getvalue()


def _with_interpreter(script: bytes) -> bytes:
    return re.sub(rb"\A#!pythonw?(?=\s)", b"#!/var/lang/bin/python3", script)


def _comment(irregular: list[str]) -> bytes:
    """The irregularities in JSON: how many there are, and the first ones, as a zip's comment is short."""
    return json.dumps({"count": len(irregular), "first": irregular[:_SHOWN]}).encode() if irregular else b""


def main() -> None:
    """Compile the wheels that standard input names."""
    for line in sys.stdin:
        wheel, target = line.rstrip("\n").split("\t")
        entries, irregular = compiled_entries(Path(wheel).read_bytes())
        write_zip(Path(target), entries, _comment(irregular))
        print(flush=True)
