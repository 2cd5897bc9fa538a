"""The asset's table has what the built layers compile in init, with the results of the interpreter."""

import json
import subprocess

import pytest

from layers import function_asset
from tests.example_agent.source import EXAMPLE_AGENT
from tools.build_layers import precompiled_inputs

COMPARE = """
import json, re, sys

sys.path.insert(0, sys.argv[1])
from traced_agent.cold_start import precompiled

table = precompiled.read(f"{sys.argv[1]}/traced_agent/cold_start/{precompiled.FILE}")
record = json.load(open(sys.argv[2]))
parts = ("flags", "groups", "groupindex")
different, missed = [], 0
for kind in ("exec", "eval"):
    for source in record[kind]:
        missed += (kind, source) not in table._code
        if table.code(kind, source) != compile(source, "<string>", kind):
            different.append(source)
for text, flags, kind in record["patterns"]:
    pattern = text.encode("latin-1") if kind == "bytes" else text
    missed += (pattern, flags) not in table._patterns
    ours, theirs = table.pattern(pattern, flags), re.compile(pattern, flags)
    if ours != theirs or [getattr(ours, part) for part in parts] != [getattr(theirs, part) for part in parts]:
        different.append(text)
print(json.dumps({"different": different, "missed": missed}))
"""

AFTER_INIT = """
import sys

sys.path[:0] = sys.argv[1:3]
from traced_agent.cold_start import startup
import collections, dataclasses, typing
hooks = [(dataclasses, "exec"), (collections, "eval"), (typing, "compile")]
during = [name for module, name in hooks if name in vars(module)]
import lambda_handler
print(*during, *(name for module, name in hooks if name in vars(module)))
"""


@pytest.fixture
def target(target_python):
    def run(script, *arguments):
        environment = {"AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
        command = [target_python, "-IB", "-W", "ignore", "-c", script, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_every_result_of_the_table_is_that_of_the_interpreter(target, source):
    compared = json.loads(target(COMPARE, source, function_asset.INPUTS))
    assert compared == {"different": [], "missed": 0}


def test_the_record_is_that_of_the_built_layers(opt):
    recorded, present = (
        json.loads(function_asset.INPUTS.read_text("utf-8")),
        json.loads(precompiled_inputs.inputs(EXAMPLE_AGENT)),
    )
    for kind, needed in present.items():
        found = [entry for entry in needed if entry in recorded[kind]]
        assert len(found) >= 0.8 * len(needed) > 80, (
            f"{kind}: layers/precompiled.json has {len(found)} of {len(needed)}: "
            "run `hatch run python -m tools.build_layers.precompiled_inputs`"
        )


def test_the_table_is_used_in_init_only(target, source, opt):
    assert target(AFTER_INIT, source, opt / "python").split() == ["exec", "eval", "compile"]
