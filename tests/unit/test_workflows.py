"""The workflows: what runs third-party code cannot write, and every action is pinned."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).parents[2] / ".github" / "workflows"
WORKFLOWS = {path.name: yaml.safe_load(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.yml"))}
JOBS = {
    f"{file}: {name}": (workflow, job)
    for file, workflow in WORKFLOWS.items()
    for name, job in workflow["jobs"].items()
}
RELOCK = WORKFLOWS["relock.yml"]["jobs"]


def triggers(workflow: dict[Any, Any]) -> set[str]:
    return set(workflow[True])  # YAML 1.1 reads the key `on` as true


def permissions(workflow: dict[str, Any], job: dict[str, Any]) -> dict[str, str]:
    return dict(job.get("permissions", workflow["permissions"]))


def runs_packages(job: dict[str, Any]) -> bool:
    return any(re.search(r"hatch|pip|\.ci/run|python", step.get("run", "")) for step in job["steps"])


def position(job: dict[str, Any], wanted: str) -> int:
    steps = [step.get("run", "") + step.get("uses", "") for step in job["steps"]]
    (found,) = (index for index, step in enumerate(steps) if wanted in step)
    return found


def artifacts(job: dict[str, Any], action: str) -> list[str]:
    steps = job["steps"]
    return [step["with"]["name"] for step in steps if f"actions/{action}-artifact@" in step.get("uses", "")]


def test_every_action_is_pinned_to_a_commit_with_its_version_in_a_comment() -> None:
    used = [
        line.strip()
        for path in FOLDER.glob("*.yml")
        for line in path.read_text("utf-8").splitlines()
        if "uses:" in line
    ]

    assert used
    assert not [line for line in used if not re.search(r"uses: \S+@[0-9a-f]{40}  # v[\d.]+$", line)]


@pytest.mark.parametrize("name", JOBS)
def test_a_job_that_runs_packages_can_only_read(name: str) -> None:
    workflow, job = JOBS[name]
    if runs_packages(job):
        assert permissions(workflow, job) == {"contents": "read"}
        assert job["steps"][position(job, "actions/checkout")]["with"]["persist-credentials"] is False


def test_the_job_that_pushes_runs_no_package_and_follows_the_tests() -> None:
    writers = [
        name for name, job in RELOCK.items() if "write" in permissions(WORKFLOWS["relock.yml"], job).values()
    ]

    assert writers == ["propose"]
    assert not runs_packages(RELOCK["propose"])
    assert set(RELOCK["propose"]["needs"]) == {"lock", "record", "test"}


def test_new_locks_are_tested_in_environments_made_from_them() -> None:
    assert RELOCK["test"]["needs"] == ["lock", "record"]
    assert position(RELOCK["lock"], "lock-layers --upgrade") < position(RELOCK["lock"], "upload-artifact")
    assert artifacts(RELOCK["test"], "download") == ["locks", "precompiled"]
    assert ".ci/run" in RELOCK["test"]["steps"][-1]["run"]
    assert not any("hatch" in step.get("run", "") for step in RELOCK["test"]["steps"])  # no older environment


def test_what_the_new_libraries_compile_is_recorded_with_their_layers() -> None:
    assert RELOCK["record"]["needs"] == "lock"
    assert artifacts(RELOCK["record"], "download") == ["locks"]
    commands = RELOCK["record"]["steps"][position(RELOCK["record"], "precompiled_inputs")]["run"]
    assert commands in (FOLDER.parents[1] / "docs" / "layers.md").read_text("utf-8")


def test_the_proposed_locks_and_record_are_those_of_the_jobs_that_make_them() -> None:
    uploads = {name: found for name, job in RELOCK.items() if (found := artifacts(job, "upload"))}

    assert uploads == {"lock": ["locks"], "record": ["precompiled"]}
    assert artifacts(RELOCK["propose"], "download") == ["locks", "precompiled"]


def test_the_pull_request_gets_the_checks() -> None:
    commands = RELOCK["propose"]["steps"][-1]["run"]

    assert commands.index("git push") < commands.index("gh workflow run check.yml")
    assert permissions(WORKFLOWS["relock.yml"], RELOCK["propose"])["actions"] == "write"
    assert {"pull_request", "workflow_dispatch"} <= triggers(WORKFLOWS["check.yml"])
