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
from tools.build_layers.checks.files import size
from tools.build_layers.checks.layer_contents import LayerContents, read_layer
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
SHIPPED = "".join(known.lock.read_text("utf-8") for known in layers.LAYERS)
ALL = bool(os.environ.get("TEST_ALL_PACKAGES"))
CHOSEN = [row for row in ROWS if ALL or row[0].partition(">=")[0] in DEFAULT]


def build_with(folder: Path, requirement: str, exclude: str = "") -> LayerContents:
    """A layer of a requirement and its dependencies, in the versions that the shipped locks allow."""
    layer = Layer("strands", folder / "layers" / "strands")
    layer.directory.mkdir(parents=True)
    layer.requirements.write_text(requirement + "\n")
    if exclude:
        (layer.directory / "exclude.txt").write_text(exclude)
    layer.lock.write_text(SHIPPED)  # the pins that the package would have to agree with
    (text,) = joint_lock.lock([layer])
    joint_lock.write(layer, text)
    build([layer])
    return read_layer(layer)


def added_megabytes(contents: LayerContents) -> tuple[float, float]:
    """What a layer adds to the shipped layers, in MB zipped and unzipped."""
    known = read_lock(SHIPPED).keys()
    added = [path for path in contents.files if contents.owners.get(path) not in known]
    zipped = {entry.filename.removeprefix("python/"): entry.compress_size for entry in contents.entries}
    return sum(zipped[path] for path in added) / 1e6, sum(contents.size(path) for path in added) / 1e6


def violations(contents: LayerContents, module: str, home: Path) -> list[str]:
    """What the checks reject in a layer, and why its module cannot be imported."""
    candidate = Candidate([contents])
    wrong = [
        line
        for name, check in CHECKS.items()
        if name not in ("imports", "wheels")
        for line in check(candidate)
        if not isinstance(line, Harmless)
    ]
    with mounted([contents.parts]) as opt:
        return (
            wrong
            + target_process.run(
                check_imports, str(opt), "", module, environment={"HOME": str(home)}
            ).splitlines()
        )


def test_every_well_known_package_is_in_the_table():
    assert {Requirement(row[0]).name for row in ROWS} == WELL_KNOWN


@pytest.mark.parametrize("row", CHOSEN, ids=[row[0] for row in CHOSEN])
def test_a_package_of_the_table_is_built_and_imported(tmp_path, row):
    requirement, module, *documented = row
    contents = build_with(tmp_path, requirement)
    assert violations(contents, module, tmp_path) == []
    for measured, megabytes in zip(added_megabytes(contents), documented, strict=True):
        assert measured == pytest.approx(float(megabytes), rel=0.3, abs=1.0)  # new releases differ a little


@pytest.mark.skipif(not ALL, reason="TEST_ALL_PACKAGES is not set")
def test_pyarrow_fits_beside_the_shipped_layers_without_the_files_that_the_page_names(tmp_path, real):
    exclude = re.search(r"```\n(pyarrow/.+?)```", PAGE, re.DOTALL)[1]

    contents = build_with(tmp_path, "pyarrow>=21", exclude)

    assert violations(contents, "pyarrow.parquet", tmp_path) == []
    together = size(Candidate([contents, *real.layers]))
    assert [line for line in together if not isinstance(line, Harmless)] == []
