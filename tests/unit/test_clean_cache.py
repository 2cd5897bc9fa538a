"""`hatch run clean-cache` deletes the cache, and nothing else."""

import pytest

from tools import clean_cache


def test_the_cache_is_deleted_and_its_size_printed(tmp_path, capsys):
    folder, beside = tmp_path / "cache", tmp_path / "beside"
    (folder / "wheels").mkdir(parents=True)
    (folder / "wheels" / "file").write_bytes(bytes(2_000_000))
    (folder / "link").symlink_to(beside)
    beside.write_text("kept")

    assert clean_cache.main([], folder) == 0
    assert not folder.exists()
    assert beside.read_text() == "kept"
    assert capsys.readouterr().out.startswith("Deleted 2 MB in ")


def test_a_missing_cache_is_not_an_error(tmp_path, capsys):
    assert clean_cache.main([], tmp_path / "cache") == 0
    assert "Deleted 0 MB" in capsys.readouterr().out


def test_help_deletes_nothing(tmp_path, capsys):
    with pytest.raises(SystemExit):
        clean_cache.main(["--help"], tmp_path)
    assert tmp_path.exists()
    assert "Deletes the cache" in capsys.readouterr().out
