"""The hashes in a lock are those that the index's page states; no file is downloaded to hash it."""

from tools.build_layers.locking import joint_lock
from tools.wheels import read_lock
from tools.wheels.download import sha256


def test_hashes_of_all_platforms_are_locked_without_downloading_the_files(index, make_stack):
    ours = index.add("agent", "1.0")
    other = index.add("agent", "1.0", tag="cp313-cp313-win_amd64")
    hashes = {sha256(ours), sha256(other)}
    other.unlink()
    (text,) = joint_lock.lock(make_stack(strands="agent>=1.0"))
    assert read_lock(text)["agent"].hashes == hashes


def test_a_file_without_a_hash_on_the_page_is_hashed(index, make_stack):
    wheel = index.add("agent", "1.0")
    page = wheel.with_name("index.html")
    page.write_text(page.read_text().replace(f"#sha256={sha256(wheel)}", ""))
    (text,) = joint_lock.lock(make_stack(strands="agent>=1.0"))
    assert read_lock(text)["agent"].hashes == {sha256(wheel)}
