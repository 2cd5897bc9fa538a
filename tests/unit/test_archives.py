"""Archives are unpacked whole into their folder, or not at all."""

import contextlib
import stat
import zipfile
from zipfile import ZipInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tools import archives
from tools.build_layers import layer_tree
from tools.build_layers.checks.layer_contents import read_path
from tools.command import Failure

UNSAFE = ["../evil.py", "python/../../evil.py", "/evil.py", "C:/evil.py", "..\\evil.py", "\\\\host\\evil.py"]


def make(path, *names, mode=0o100644):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("python/good.py", "x = 1\n")
        for name in names:
            info = ZipInfo("placeholder")
            info.filename, info.external_attr = name, mode << 16
            archive.writestr(info, "evil\n")
    return path


@pytest.mark.parametrize("name", UNSAFE)
def test_a_path_outside_the_folder_is_rejected_before_anything_is_written(tmp_path, name):
    archive = make(tmp_path / "x.zip", name)
    with pytest.raises(Failure, match=r"^x.zip: .*: do not use this archive$"):
        archives.extract(archive, tmp_path / "inner" / "target")
    assert [path.name for path in tmp_path.iterdir()] == ["x.zip"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO])
def test_links_and_devices_are_rejected(tmp_path, kind):
    archive = make(tmp_path / "x.zip", "python/link", mode=kind | 0o777)
    with pytest.raises(Failure, match="'python/link' is a link or a device"):
        archives.extract(archive, tmp_path / "target")


@pytest.mark.parametrize("name", UNSAFE)
def test_the_layer_tree_and_the_checks_reject_the_same_archives(tmp_path, name):
    archive = make(tmp_path / "x.zip", name)
    with pytest.raises(Failure, match="do not use this archive"):
        layer_tree.unpack([archive], store=tmp_path / "store")
    with pytest.raises(Failure, match="do not use this archive"):
        read_path(archive)


def test_regular_files_and_folders_are_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.mkdir("empty")
        archive.writestr("a/b/..c.txt", "text")
    archives.extract(tmp_path / "x.zip", tmp_path / "target")
    assert (tmp_path / "target" / "empty").is_dir()
    assert (tmp_path / "target" / "a" / "b" / "..c.txt").read_text() == "text"


def test_a_file_that_is_not_a_zip_is_one_line(tmp_path):
    (tmp_path / "x.zip").write_text("no zip")
    with pytest.raises(Failure, match=r"x.zip cannot be read as a zip"):
        archives.extract(tmp_path / "x.zip", tmp_path / "target")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    name=st.lists(st.sampled_from(["..", ".", "a", "", "C:", "\\", "..\\", "/"]), min_size=1, max_size=5).map(
        "/".join
    )
)
def test_nothing_is_written_outside_the_folder_for_any_name_of_a_member(tmp_path_factory, name):
    folder = tmp_path_factory.mktemp("extract")
    archive = make(folder / "x.zip", name)
    with contextlib.suppress(Failure, OSError):
        archives.extract(archive, folder / "deep" / "target")
    outside = [path for path in folder.rglob("*") if path.is_file() and path != archive]
    assert all(path.is_relative_to(folder / "deep" / "target") for path in outside)
