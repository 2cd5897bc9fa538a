"""cfn-lint finds nothing in the template of any variant."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

Context = dict[str, str]


@pytest.fixture(scope="session")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A template with an unknown resource type."""
    template = tmp_path_factory.mktemp("faulty") / "template.json"
    template.write_text('{"Resources": {"Log": {"Type": "AWS::Logs::LogGrup"}}}')
    return template


@pytest.fixture(scope="session")
def findings(
    assembly: Callable[[Context], Path], variants: Mapping[str, Context], faulty: Path
) -> Mapping[Path, list[str]]:
    """What cfn-lint finds, by template: one run for all, because it loads its rules for each run."""
    from cfnlint.config import ConfigMixIn
    from cfnlint.runner import Runner

    templates = [faulty, *(_template(assembly(context)) for context in variants.values())]
    config = ConfigMixIn(["--template", *map(str, templates)], regions=["us-east-1"])
    found: dict[Path, list[str]] = defaultdict(list)
    for match in Runner(config).run():
        found[Path(match.filename)].append(str(match))
    return found


def test_a_variant_is_clean_by_cfn_lint(
    assembly: Callable[[Context], Path], variant: Context, findings: Mapping[Path, list[str]]
) -> None:
    assert findings[_template(assembly(variant))] == []


def test_a_fault_is_found(findings: Mapping[Path, list[str]], faulty: Path) -> None:
    assert ["E3006" in finding for finding in findings[faulty]] == [True]


def _template(assembly: Path) -> Path:
    (template,) = assembly.glob("*.template.json")
    return template
