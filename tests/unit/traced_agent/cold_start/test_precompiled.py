"""The standard library takes compiled code from the table, with the results that it has without it."""

import collections
import dataclasses
import re
import typing

import pytest

from traced_agent.cold_start import precompiled
from traced_agent.cold_start.precompiled import FILE, VERSION, Table


class Recorder(Table):
    """Notes what is taken from it."""

    def __init__(self, code=(), patterns=()):
        super().__init__(dict(code), dict(patterns))
        self.asked = []

    def code(self, kind, source):
        self.asked.append((kind, source))
        return super().code(kind, source)

    def pattern(self, pattern, flags):
        self.asked.append((pattern, flags))
        return super().pattern(pattern, flags)


@pytest.fixture
def installed():
    """Installs a table for one test."""
    ends = []

    def install(table):
        ends.append(precompiled.install(table))
        return ends[-1]

    yield install
    for end in ends:
        end()


def make_point():
    @dataclasses.dataclass(order=True)
    class Point:
        x: int
        y: int = 2
        tags: list[str] = dataclasses.field(default_factory=list, compare=False)

    return Point


def behaviour(point):
    assert point(1) == point(1, 2, ["a"])
    return repr(point(1)), point(1) < point(2), [field.name for field in dataclasses.fields(point)]


def test_every_kind_of_compilation_asks_the_table(installed):
    table = Recorder()
    installed(table)
    make_point()
    collections.namedtuple("Pair", "left right")
    typing.ForwardRef("list[int]")
    re.compile(r"never compiled before \d", re.IGNORECASE)
    assert {kind for kind, _ in table.asked} >= {"exec", "eval"}
    assert ("eval", "list[int]") in table.asked
    assert (r"never compiled before \d", re.IGNORECASE) in table.asked


def test_a_dataclass_from_the_table_behaves_as_any_other(installed):
    expected = behaviour(make_point())
    recorder = Recorder()
    installed(recorder)()
    end = precompiled.install(recorder)
    make_point()
    end()
    code = {key: compile(key[1], "<string>", key[0]) for key in recorder.asked}
    installed(Table(code, {}))
    assert behaviour(make_point()) == expected


def test_a_result_of_the_table_is_used(installed):
    installed(Table({("eval", "int"): compile("float", "<string>", "eval")}, {}))
    assert typing.get_type_hints(type("Thing", (), {"__annotations__": {"size": "int"}})) == {"size": float}


@pytest.mark.parametrize(("pattern", "text"), [(r"(?P<word>a+)b", "xaab"), (rb"(?P<word>a+)b", b"xaab")])
def test_a_pattern_of_the_table_equals_the_compiled_one(pattern, text):
    expected = re.compile(pattern)
    arguments = []
    real, precompiled._re_compiler._sre = precompiled._re_compiler._sre, Noting(arguments)
    try:
        precompiled._compile_pattern(pattern, 0)
    finally:
        precompiled._re_compiler._sre = real
    found = Table({}, {(pattern, 0): tuple(arguments)}).compile_pattern(pattern)
    assert found == expected
    assert found.search(text)["word"] == expected.search(text)["word"]


class Noting:
    """In place of `_sre`."""

    def __init__(self, noted):
        self.noted = noted

    def __getattr__(self, name):
        return getattr(precompiled._sre, name)

    def compile(self, pattern, *arguments):
        self.noted += arguments
        return precompiled._sre.compile(pattern, *arguments)


def test_what_is_not_in_the_table_is_compiled_or_rejected_as_always(installed):
    installed(Table({}, {}))
    assert behaviour(make_point())[0].endswith("Point(x=1, y=2, tags=[])")
    assert re.compile(r"(?i)not in the table").match("NOT in the table")
    assert re.Scanner([(r"\d+", None)]).scan("12")[1] == ""
    with pytest.raises(SyntaxError, match="Forward reference must be an expression"):
        typing.ForwardRef("not an expression")
    with pytest.raises(re.error, match="unterminated character set"):
        re.compile("[never closed")


def test_after_the_end_python_compiles_as_always(installed):
    compiler = precompiled._re_compiler.compile
    table = Recorder(code={("eval", "list[str]"): compile("list[str]", "<string>", "eval")})
    end = installed(table)
    end()
    make_point()
    typing.ForwardRef("list[str]")
    assert table.asked == []
    assert not vars(table)["_code"]
    assert precompiled._re_compiler.compile is compiler
    assert not {"exec"} & vars(dataclasses).keys()


def test_the_end_keeps_what_another_library_has_put_in_place(installed, monkeypatch):
    monkeypatch.setattr(precompiled._re_compiler, "compile", precompiled._compile_pattern)
    end = installed(Table({}, {}))

    def compile_pattern(pattern, flags=0):
        return precompiled._compile_pattern(pattern, flags | re.ASCII)

    precompiled._re_compiler.compile = compile_pattern
    end()
    assert precompiled._re_compiler.compile is compile_pattern


def test_a_table_for_another_python_is_not_used(tmp_path):
    path = tmp_path / FILE
    assert precompiled.read(str(path)) is None
    path.write_bytes(bytes(len(VERSION)) + b"not marshal")
    assert precompiled.read(str(path)) is None


def test_without_a_table_nothing_is_replaced():
    precompiled.start()()
    assert not {"exec"} & vars(dataclasses).keys()
