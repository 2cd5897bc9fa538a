"""Links and commands of the documentation exist, and diagrams name files that exist."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    *ROOT.glob("*.md"),
    *ROOT.glob("docs/**/*.md"),
    *ROOT.glob("packages/*/README.md"),
]


def prose(page):
    return re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)


def anchors(page):
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" not in link:
            file, _, anchor = link.partition("#")
            target = page.parent / file if file else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_exists(page):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    scripts = {*project["tool"]["hatch"]["envs"]["default"]["scripts"], "python"}

    assert set(re.findall(r"hatch run ([a-z][a-z-]*)", page.read_text("utf-8"))) <= scripts


def test_the_diagram_of_the_code_names_files_that_exist():
    drawing = (ROOT / "docs" / "code.svg").read_text("utf-8")
    folders = ("packages/handler/src", "packages/traced_agent/src", "infra", "tools", "layers", "tests")
    files = {path.name for folder in folders for path in (ROOT / folder).rglob("*.py")}
    named = set(re.findall(r"\b[a-z_]+\.py\b", drawing))
    assert len(named) > 8
    assert named <= files
    shown = set(re.findall(r">([a-z_]+)/<", drawing))
    directories = {path.name for folder in folders for path in [ROOT / folder, *(ROOT / folder).rglob("*")]}
    assert shown <= directories


def test_the_index_lists_every_page():
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert {*pages, "recipes/README.md"} <= set(re.findall(r"\]\(([\w/-]+\.md)", index))
