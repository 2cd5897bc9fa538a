"""The import directions that import-linter cannot check, since it reads packages only."""

import ast
from dataclasses import fields
from pathlib import Path

from traced_agent.settings import Settings

ROOT = Path(__file__).parents[2]


def imported_by(module: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or ".").partition(".")[0])
    return names


HANDLER = ROOT / "packages" / "handler" / "src"


def test_the_handler_imports_only_the_runtime_and_itself_from_the_repository():
    ours = {path.name for path in ROOT.iterdir() if path.is_dir()}

    for module in HANDLER.rglob("*.py"):
        assert imported_by(module) & ours == set(), module
    assert "traced_agent" in imported_by(HANDLER / "lambda_handler.py")


def test_the_entry_point_has_at_most_15_lines():
    assert len((HANDLER / "lambda_handler.py").read_text().splitlines()) <= 15


def test_nothing_of_the_repository_imports_the_handler_or_the_tests():
    for folder in ("infra", "tools", "layers", "packages/traced_agent/src/traced_agent"):
        for module in (ROOT / folder).rglob("*.py"):
            if "peers" in module.parts:  # functions of their own, measured beside ours
                continue
            assert not imported_by(module) & {"lambda_handler", "agent", "agent_tools", "tests"}, module


def test_infra_and_the_commands_get_the_names_of_variables_from_the_settings():
    variables = {name for setting in fields(Settings) for name in setting.metadata["names"]}
    tools = set((ROOT / "tools").rglob("*.py")) - set((ROOT / "tools" / "bench").rglob("*.py"))
    for module in [*ROOT.glob("infra/*.py"), *tools]:
        spelled = {
            node.value for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Constant)
        }
        assert not spelled & variables, module
