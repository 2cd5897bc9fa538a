"""The packages in the table of docs/layers.md are locked, built, checked and imported here.

By default a few are; with TEST_ALL_PACKAGES=1, all of them, which downloads some 300 MB the first time.
"""

import os
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import layers
from layers import Layer
from tools.build_layers import target_process
from tools.build_layers.building.build import build
from tools.build_layers.checks.candidate import Candidate
from tools.build_layers.checks.layer_contents import read_layer
from tools.build_layers.checks.result import Harmless
from tools.build_layers.checks.run import CHECKS
from tools.build_layers.locking import joint_lock
from tools.build_layers.mounted_layers import mounted
from tools.build_layers.target_scripts import check_imports
from tools.wheels import read_lock

PAGE = (Path(__file__).parents[3] / "docs" / "layers.md").read_text("utf-8")
ROWS = re.findall(r"^\| `([^`]+>=[^`]+)` \| `([\w.]+)` \| ([\d.]+) \| ([\d.]+) \|", PAGE, re.MULTILINE)
WELL_KNOWN = {
    *("numpy", "pandas", "pyarrow", "pillow", "lxml", "psycopg", "sqlalchemy", "cryptography"),
    *("google-cloud-storage", "azure-identity", "openai", "anthropic", "strands-agents-tools", "mcp"),
}
DEFAULT = ("pillow", "psycopg[binary]", "sqlalchemy")
CHOSEN = [row for row in ROWS if os.environ.get("TEST_ALL_PACKAGES") or row[0].partition(">=")[0] in DEFAULT]


def measured(folder: Path, requirement: str, module: str) -> tuple[float, float, list[str]]:
    """What a requirement adds to the shipped layers, in MB zipped and unzipped, and what is wrong with it."""
    layer = Layer("strands", folder / "layers" / "strands")
    layer.directory.mkdir(parents=True)
    layer.requirements.write_text(requirement + "\n")
    shipped = "".join(known.lock.read_text("utf-8") for known in layers.LAYERS)
    layer.lock.write_text(shipped)  # the pins that the package would have to agree with
    (text,) = joint_lock.lock([layer])
    joint_lock.write(layer, text)
    build([layer])
    contents = read_layer(layer)
    candidate = Candidate([contents])
    wrong = [
        line
        for name, check in CHECKS.items()
        if name not in ("imports", "wheels")
        for line in check(candidate)
        if not isinstance(line, Harmless)
    ]
    with mounted([contents.parts]) as opt:
        environment = {"HOME": str(folder)}
        wrong += target_process.run(check_imports, str(opt), "", module, environment=environment).splitlines()
    known = read_lock(shipped).keys()
    added = [path for path in contents.files if contents.owners.get(path) not in known]
    zipped = {entry.filename.removeprefix("python/"): entry.compress_size for entry in contents.entries}
    sizes = (sum(zipped[path] for path in added), sum(contents.size(path) for path in added))
    return sizes[0] / 1e6, sizes[1] / 1e6, wrong


def test_every_well_known_package_is_in_the_table():
    assert {Requirement(row[0]).name for row in ROWS} == WELL_KNOWN


@pytest.mark.parametrize("row", CHOSEN, ids=[row[0] for row in CHOSEN])
def test_a_package_of_the_table_is_built_and_imported(tmp_path, row):
    requirement, module, zipped, unzipped = row
    adds_zipped, adds_unzipped, wrong = measured(tmp_path, requirement, module)
    assert wrong == []
    for measure, documented in ((adds_zipped, float(zipped)), (adds_unzipped, float(unzipped))):
        assert measure == pytest.approx(documented, rel=0.3, abs=1.0)  # new releases differ a little
