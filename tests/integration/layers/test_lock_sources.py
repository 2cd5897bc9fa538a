"""What a lock is made from: the pages of the index, and for present pins the cached wheels."""

import shutil

from tools.build_layers.locking import joint_lock
from tools.wheels import download, read_lock
from tools.wheels.download import sha256


def test_hashes_of_all_platforms_are_locked_without_downloading_the_files(index, make_stack):
    ours = index.add("agent", "1.0")
    other = index.add("agent", "1.0", tag="cp313-cp313-win_amd64")
    hashes = {sha256(ours), sha256(other)}
    other.unlink()
    (text,) = joint_lock.lock(make_stack(strands="agent>=1.0"))
    assert read_lock(text)["agent"].hashes == hashes


def test_hashes_of_a_pin_that_is_kept_stay_until_it_is_upgraded(index, make_stack):
    first = index.add("agent", "1.0")
    (layer,) = stack = make_stack(strands="agent>=1.0")
    joint_lock.write(layer, *joint_lock.lock(stack))
    later = index.add("agent", "1.0", tag="cp313-cp313-win_amd64")
    hashes = {sha256(first), sha256(later)}
    assert read_lock(*joint_lock.lock(stack))["agent"].hashes == {sha256(first)}
    assert read_lock(*joint_lock.lock(stack, upgrade_packages=["agent"]))["agent"].hashes == hashes


def test_a_file_without_a_hash_on_the_page_is_hashed(index, make_stack):
    wheel = index.add("agent", "1.0")
    page = wheel.with_name("index.html")
    page.write_text(page.read_text().replace(f"#sha256={sha256(wheel)}", ""))
    (text,) = joint_lock.lock(make_stack(strands="agent>=1.0"))
    assert read_lock(text)["agent"].hashes == {sha256(wheel)}


def test_pages_of_pins_with_a_cached_wheel_are_not_read(index, make_stack, monkeypatch, tmp_path):
    monkeypatch.setattr(download, "CACHE", tmp_path / "cache")
    index.add("agent", "1.0", requires=["shared"])
    index.add("shared", "1.0")
    (layer,) = stack = make_stack(strands="agent>=1.0")
    (before,) = joint_lock.lock(stack)
    joint_lock.write(layer, before)
    joint_lock.check(stack)  # fetches the wheels
    index.add("tool-kit", "3.0", requires=["shared"])
    layer.requirements.write_text("agent>=1.0\ntool-kit>=3.0\n")
    shutil.rmtree(index.folder / "agent")
    shutil.rmtree(index.folder / "shared")
    after = read_lock(joint_lock.lock(stack)[0])
    assert {name: pin.version for name, pin in after.items()} == {
        "agent": "1.0",
        "shared": "1.0",
        "tool-kit": "3.0",
    }
    assert {name: after[name].hashes for name in read_lock(before)} == {
        name: pin.hashes for name, pin in read_lock(before).items()
    }
