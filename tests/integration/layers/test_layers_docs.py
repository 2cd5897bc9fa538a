"""docs/layers.md describes what the commands do."""

import dataclasses
import re
import subprocess
from pathlib import Path

import pytest

from tools.build_layers.building.build import build
from tools.build_layers.checks.candidate import Candidate
from tools.build_layers.checks.layer_contents import read_layer
from tools.build_layers.checks.run import CHECKS
from tools.build_layers.layer_tree import unpack
from tools.build_layers.locking import joint_lock

PAGE = (Path(__file__).parents[3] / "docs" / "layers.md").read_text("utf-8")
CALL = """
import sys
sys.path[:0] = sys.argv[1:3]
exec(sys.stdin.read())
print(size_in_words.tool_spec["name"], size_in_words(size=1234567890))
"""


def test_the_table_of_checks_is_that_of_the_code():
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE, re.MULTILINE)
    assert rows == [(name, check.__doc__.splitlines()[0]) for name, check in CHECKS.items()]


@pytest.mark.parametrize("word", ["lock-layers", "build-layers", "check-layers"])
def test_every_command_of_the_page_exists(word):
    assert f'\n{word} = "' in (Path(__file__).parents[3] / "pyproject.toml").read_text()


def test_a_tools_package_goes_from_the_requirements_to_the_function(
    index, make_stack, tmp_path, opt: Path, target_python: Path
):
    """The page's example, step by step, with a `humanize` of our own beside the real strands layer."""
    index.add(
        "humanize",
        "4.15.0",
        files={"humanize.py": "def naturalsize(size):\n    return f'{size / 1e9:.1f} GB'\n"},
    )
    index.add("traces", "1.0")
    asked = re.search(r"^   (humanize>=\S+)$", PAGE, re.MULTILINE)[1]
    stack = make_stack(strands=asked, langfuse="traces>=1.0")
    texts = joint_lock.lock(stack)
    assert f"`{joint_lock.changes(stack[0], texts[0])[0]}`" in PAGE
    for layer, text in zip(stack, texts, strict=True):
        joint_lock.write(layer, text)
    build(stack, store=tmp_path)
    candidate = Candidate([read_layer(layer) for layer in stack], handler=None)
    assert [line for name in ("closure", "record", "bytecode") for line in CHECKS[name](candidate)] == []
    mine = unpack([layer.zip for layer in stack], store=tmp_path)
    tool = re.search(r"```python\n(.+?)```", PAGE, re.DOTALL)[1].replace("\n   ", "\n").strip()
    run = subprocess.run(
        [target_python, "-I", "-S", "-c", CALL, opt / "python", mine / "python"],
        input=tool,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "size_in_words 1.2 GB\n"


def slim_services():
    return re.search(r"only these are packed:\n\n```\n(.+?)```", PAGE, re.DOTALL)[1].split()


def test_slim_names_services_that_botocore_knows(opt: Path):
    assert all((opt / "python" / "botocore" / "data" / service).is_dir() for service in slim_services())


def test_slim_names_exactly_the_services_that_the_function_calls(built, source):
    first, *rest = (read_layer(layer) for layer in built)

    def reported(services):
        layers = [dataclasses.replace(first, services=tuple(services)), *rest]
        return list(CHECKS["clients"](Candidate(layers, handler=source)))

    listed = slim_services()
    assert reported(listed) == []
    left_out = {re.search(r": (\S+) was left out", line)[1] for line in reported(["sts"])}
    assert left_out == set(listed)
