import sys

from tools import cache
from tools.environments import python_of


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
