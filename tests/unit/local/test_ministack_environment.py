import sys

from tools import cache
from tools.environments import has_all, pins, python_of


def test_ministacks_python_is_that_of_hatchs_environment_not_of_a_path_in_the_cache(tmp_path, monkeypatch):
    made = tmp_path / "environments" / "ministack"
    planted = tmp_path / "planted"
    for folder in (made, planted):
        (folder / "lib" / "python3.13" / "site-packages" / "ministack-1.5.33.dist-info").mkdir(parents=True)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "ministack.path").write_text(str(planted))
    monkeypatch.setattr(cache, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "environments" / "default"))
    assert python_of.__wrapped__("ministack") == made / "bin" / "python"


def test_the_pins_of_an_environment_are_read_also_with_extras():
    assert pins("collector") == {"agentmesh-ai": "0.5.0"}
    assert "schemathesis" in pins("test")


def test_an_environment_without_one_of_its_pins_is_not_up_to_date(tmp_path):
    packages = tmp_path / "lib" / "python3.11" / "site-packages"
    (packages / "one_package-1.0.dist-info").mkdir(parents=True)
    pinned = {"one-package": "1.0", "Other.Package": "2.0"}
    assert not has_all(tmp_path, pinned)
    (packages / "Other_Package-2.0.dist-info").mkdir()
    assert has_all(tmp_path, pinned)
