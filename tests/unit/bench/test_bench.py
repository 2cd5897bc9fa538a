"""The bench: sampling, results, and the page that shows them."""

import importlib
import json
import platform
import re
import subprocess
from dataclasses import asdict, replace
from xml.etree import ElementTree

import pytest

from tools.bench import page
from tools.bench.__main__ import DOCS, PARTS, bench, docs_folder, parse
from tools.bench.machine import commit, machine
from tools.bench.result import Chart, Part, Table, at_most, figure, spread
from tools.bench.sampling import interleave

FOUND = Part(
    title="Cold",
    tables=[Table("Seconds", ["handler", "cold", "bytes"], [["ours | theirs", 1.23456, 12345]], "A note.")],
    claims=[
        at_most("cold", 2.0, 1.0, " s", reason="The disk is slow."),
        at_most("warm", 0.5, 1.0, " s", reason="It is not needed."),
    ],
    charts=[
        Chart("Bars", "s", bars={"ours": 1.5, "theirs": 3.0}),
        Chart("Curve", "ms", lines={"median": [(1, 2.0), (2, 3.0)]}, x_title="clients"),
    ],
    absent={"sam": "there is no sam"},
)


@pytest.fixture
def measured(tmp_path):
    """Measures parts with these functions, writes to a folder of its own and returns the exit code."""

    def run(**parts):
        return bench(list(parts), measure=lambda name: parts[name](), docs=tmp_path)

    return run


def failing():
    raise RuntimeError("no room")


def interrupted():
    raise KeyboardInterrupt


# sampling


def test_every_variant_is_sampled_once_a_round_and_not_always_in_the_same_order():
    order = []
    variants = {name: lambda name=name: order.append(name) or len(order) for name in "abc"}
    samples, failed = interleave("letters", variants, 6)
    rounds = [order[start : start + 3] for start in range(0, 18, 3)]
    assert all(sorted(names) == ["a", "b", "c"] for names in rounds)
    assert len(set(map(tuple, rounds))) > 1
    assert ({name: len(found) for name, found in samples.items()}, failed) == (dict.fromkeys("abc", 6), {})


def test_a_peer_that_fails_is_named_with_the_reason_and_the_others_are_measured():
    samples, failed = interleave("peers", {"fine": lambda: 1, "broken": failing}, 3)
    assert samples == {"fine": [1, 1, 1]}
    assert failed == {"broken": "RuntimeError: no room"}


# results


def test_without_write_no_file_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    before = {path: path.read_bytes() for path in DOCS.glob("benchmarks.*")}

    assert bench(["layers"], measure=lambda name: FOUND) == 0

    assert {path: path.read_bytes() for path in DOCS.glob("benchmarks.*")} == before
    assert list(tmp_path.iterdir()) == []
    assert "pass --write" in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "folder"), [(["layers"], None), (["layers", "--write"], DOCS)])
def test_only_write_names_the_folder_to_write_to(arguments, folder):
    assert docs_folder(parse(arguments)) == folder


def test_a_part_that_fails_reports_the_whole_reason(measured, capsys):
    def failing_command():
        raise subprocess.CalledProcessError(3, ["sam", "build"], stderr="first\nno [space] left\n")

    assert measured(layers=failing_command, warm=failing) == 1

    reported = capsys.readouterr().err
    assert "layers failed: CalledProcessError: Command '['sam', 'build']' returned" in reported
    assert "no [space] left" in reported
    assert "warm failed: RuntimeError: no room" in reported
    assert "in test_bench.py, line " in reported


def test_a_required_variant_that_fails_fails_the_part_with_its_reason():
    with pytest.raises(RuntimeError, match="'ours' failed: RuntimeError: no room"):
        interleave("peers", {"ours": failing, "theirs": lambda: 1}, 2, required=("ours",))


def test_after_a_part_that_fails_the_others_are_measured_and_earlier_results_are_kept(measured, tmp_path):
    assert measured(layers=lambda: FOUND) == 0
    before = json.loads((tmp_path / "benchmarks.json").read_text())["layers"]
    assert measured(layers=failing, warm=lambda: FOUND) == 1
    kept = json.loads((tmp_path / "benchmarks.json").read_text())
    assert kept["layers"] == before
    assert list(kept) == ["layers", "warm"]


def test_an_interrupted_run_leaves_the_page_as_it_was(measured, tmp_path):
    measured(layers=lambda: FOUND)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(KeyboardInterrupt):
        measured(layers=interrupted)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_the_page_shows_every_result_with_its_command(measured, tmp_path):
    measured(layers=lambda: FOUND, soak=lambda: replace(FOUND, options="--minutes 60"))
    text = (tmp_path / "benchmarks.md").read_text()
    assert "`hatch run bench layers` ·" in text
    assert "`hatch run bench soak --minutes 60` ·" in text
    assert "| ours \\| theirs | 1.23 | 12,345 |" in text
    assert "A note." in text
    assert "| cold | ≤ 1 s | 2 s | **no** |" in text
    assert "| warm | ≤ 1 s | 0.5 s | yes |" in text
    assert "Why a goal is not met:\n\n- cold: The disk is slow.\n" in text
    assert "It is not needed." not in text
    assert "Not measured: sam (there is no sam)." in text
    for number in range(2):
        assert f"(charts/layers-{number}.svg)" in text
        drawing = ElementTree.parse(tmp_path / "charts" / f"layers-{number}.svg")
        assert FOUND.charts[number].title in "".join(drawing.getroot().itertext())


def test_the_header_names_the_commit_and_the_machine(measured, tmp_path):
    measured(layers=lambda: FOUND)
    head = (tmp_path / "benchmarks.md").read_text().partition("\n## ")[0]

    assert f"All parts: commit {commit()}, machine: {machine()}." in head


def test_parts_of_different_commits_are_listed_by_commit(tmp_path):
    part = {"measured": "", "machine": "m", "versions": "", "part": _as_json(FOUND)}
    results = {"layers": {**part, "commit": "a1"}, "warm": part, "traces": {**part, "commit": "a1"}}

    page.write(results, tmp_path / "benchmarks.md")

    text = (tmp_path / "benchmarks.md").read_text()
    assert (
        "Parts layers, traces: commit a1, machine: m.\nParts warm: commit not recorded, machine: m." in text
    )


def test_a_commit_with_changes_is_marked(tmp_path):
    def git(*words):
        name = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        subprocess.run(["git", *name, *words], cwd=tmp_path, check=True, capture_output=True)

    assert commit(tmp_path) == "unknown"
    (tmp_path / "file").write_text("one")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text("one")
    git("init")
    git("add", ".")
    git("commit", "-m", "First")
    (tmp_path / "docs" / "page.md").write_text("two")  # as the bench does after each part
    assert re.fullmatch("[0-9a-f]{12}", commit(tmp_path))
    (tmp_path / "file").write_text("two")
    assert re.fullmatch("[0-9a-f]{12}-dirty", commit(tmp_path))


def test_the_machine_has_cores_a_system_and_no_host_name():
    assert re.match(r"\d+ cores of \S", machine())
    assert platform.node() not in machine()


def test_the_same_results_give_the_same_files(tmp_path):
    result = {"layers": {"measured": "", "machine": "", "versions": "", "part": _as_json(FOUND)}}
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        page.write(result, tmp_path / folder / "benchmarks.md")
    one, two = (
        [path.read_bytes() for path in sorted((tmp_path / name).rglob("*.*"))] for name in ("one", "two")
    )
    assert one == two


def _as_json(part):
    return json.loads(json.dumps(asdict(part)))


def test_the_page_of_this_repository_matches_its_results(tmp_path):
    page.write(json.loads((DOCS / "benchmarks.json").read_text("utf-8")), tmp_path / "benchmarks.md")
    assert (tmp_path / "benchmarks.md").read_text("utf-8") == (DOCS / "benchmarks.md").read_text("utf-8")
    assert {path.name for path in tmp_path.glob("charts/*")} == {path.name for path in DOCS.glob("charts/*")}


def test_every_part_can_be_measured():
    for name in PARTS:
        assert callable(importlib.import_module(f"tools.bench.{name.replace('-', '_')}").measure)


# figures


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.12345, "0.123"), (12.345, "12.3"), (123.45, "123"), (12345.6, "12,346"), (-140.2, "-140")],
)
def test_a_figure_has_three_significant_digits(value, shown):
    assert figure(value) == shown


def test_a_spread_is_the_median_and_the_range_of_the_middle_half():
    assert spread([3.0, 1.0, 2.0]) == "2 (1 to 3)"
    assert spread([float(number) for number in range(1, 10)]) == "5 (2.5 to 7.5)"


def test_a_claim_that_is_just_met_holds():
    assert at_most("it", 0.26, 0.26).holds
    assert not at_most("it", 0.2601, 0.26).holds
