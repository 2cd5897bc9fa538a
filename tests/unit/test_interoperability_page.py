"""docs/interoperability.md lists what the tests run, in the versions that are pinned."""

import json
import re
from pathlib import Path

from tests.third_party import node
from tools.environments import ROOT, pins

TABLE = re.compile(r"^\| `([^`]+)` \| ([^|]+) \| .+ \| `([^`]+)` \|$", re.MULTILINE)
ROWS = TABLE.findall((ROOT / "docs" / "interoperability.md").read_text("utf-8"))
RUNTIME_CLIENTS = (Path(__file__).parents[1] / "integration" / "url").glob("awslambdaric-*.txt")
ENVIRONMENTS = ("clients", "phoenix", "monitoring", "collector", "openid", "ministack", "test")


def test_the_table_has_every_pinned_package_and_its_version():
    pinned = {**node.pins(), **json.loads((ROOT / "package.json").read_text())["devDependencies"]}
    for environment in ENVIRONMENTS:
        pinned |= pins(environment)
    others = [path.stem.removeprefix("awslambdaric-") for path in RUNTIME_CLIENTS]
    pinned["awslambdaric"] = ", ".join(sorted([*others, pinned["awslambdaric"]]))
    assert {name: version for name, version, _ in ROWS} == pinned
    assert len(ROWS) == len(pinned)


def test_each_row_names_a_test_that_uses_the_package():
    for name, _, test in ROWS:
        assert (Path(__file__).parents[1] / test).is_file(), name
