"""The environments take the layers' requirements from the layers."""

import pytest

from tools.hatch_environments import DefaultEnvironmentCollector, dependencies

LOCK = "humanize==4.15.0 \\\n    --hash=sha256:00\nstrands-agents==1.62.0 \\\n    --hash=sha256:01\n"


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "layers" / "strands"
    made.mkdir(parents=True)
    (made / "requirements.txt").write_text(LOCK)
    return made


def test_requirements_are_pinned_to_the_versions_of_the_lock(folder):
    text = "# ours\nstrands_agents[otel]>=1.62\nhumanize>=4.12; python_version >= '3.8'  # sizes\n\nnot one\n"
    (folder / "requirements.in").write_text(text)
    assert dependencies(folder / "requirements.in") == [
        "strands_agents[otel]==1.62.0",
        'humanize==4.15.0; python_version >= "3.8"',
    ]


def test_what_is_not_locked_yet_is_left_out(folder):
    (folder / "requirements.in").write_text("numpy>=2\n")
    assert dependencies(folder / "requirements.in") == []
    (folder / "requirements.txt").unlink()
    assert dependencies(folder / "requirements.in") == []


def test_the_default_environment_gets_them(folder, tmp_path):
    (folder / "requirements.in").write_text("humanize>=4.12\n")
    config = {"default": {"dependencies": ["rich"]}, "other": {}}
    DefaultEnvironmentCollector(tmp_path, {}).finalize_config(config)
    assert config == {"default": {"dependencies": ["rich", "humanize==4.15.0"]}, "other": {}}
