"""Wheels come from an index's JSON pages (PEP 691), of which only the pinned releases are read."""

import json

import pytest
from pip._internal.models.link import Link

from tools import wheels
from tools.command import Failure
from tools.local.http.server import HttpServer
from tools.wheels import pip_for_target
from tools.wheels.download import sha256


@pytest.fixture
def served(index, monkeypatch):
    """The index over HTTP, in JSON as PyPI answers; gives the requested paths."""
    asked = []

    def respond(exchange):
        asked.append(exchange.path)
        place = index.folder / exchange.path.strip("/")
        if place.is_dir():
            files = [
                {
                    "filename": wheel.name,
                    "url": f"{server.url}/{place.name}/{wheel.name}",
                    "hashes": {"sha256": sha256(wheel)},
                }
                for wheel in sorted(place.glob("*.whl"))
            ]
            page = {"meta": {"api-version": "1.0"}, "name": place.name, "files": files}
            exchange.answer(200, json.dumps(page).encode(), "application/vnd.pypi.simple.v1+json")
        elif place.is_file():
            exchange.answer(200, place.read_bytes(), "application/zip")
        else:
            exchange.answer(404)

    with HttpServer(respond) as server:
        monkeypatch.setenv("PIP_INDEX_URL", server.url)
        yield asked


@pytest.fixture
def fetched(tmp_path):
    """Fetches what a lock's text names; gives the files' names."""

    def fetch(text):
        lock = tmp_path / "requirements.txt"
        lock.write_text(text)
        return [wheel.name for wheel in wheels.fetch(lock, cache=tmp_path / "cache")]

    return fetch


def test_the_pinned_release_is_fetched_among_others(index, served, fetched):
    for version in ("1.0", "1.1", "1.1.1", "2.0"):
        index.add("sums", version)
    assert fetched(index.pin("sums", "1.1")) == ["sums-1.1-py3-none-any.whl"]
    assert served == ["/sums/", "/sums/sums-1.1-py3-none-any.whl"]


def test_a_file_that_spells_its_version_in_another_way_is_found_too(index, served, fetched):
    wheel = index.add("dates", "2024.07.04")
    lock = f"dates==2024.7.4 \\\n    --hash=sha256:{sha256(wheel)}\n"
    assert fetched(lock) == [wheel.name]


def test_a_file_that_is_not_the_locked_one_and_a_missing_file_have_different_errors(index, served, fetched):
    wheel = index.add("sums", "1.1")
    lock = index.pin("sums", "1.1")
    wheel.write_bytes(wheel.read_bytes() + b"more")
    with pytest.raises(Failure, match=r"sums==1\.1 is not the file that was locked"):
        fetched(lock)
    with pytest.raises(Failure, match=r"the index has no wheel of sums==1\.2"):
        fetched(lock.replace("1.1", "1.2"))


@pytest.mark.parametrize(
    ("filename", "is_read"),
    [
        ("sums-1.1-py3-none-any.whl", True),
        ("sums-1.1-1-cp313-cp313-manylinux2014_x86_64.whl", True),
        ("sums-1.1.1-py3-none-any.whl", False),
        ("sums-1.1.tar.gz", False),
        ("sums", False),
        ("Sums-2.0-py3-none-any.whl", False),
        ("other-2.0-py3-none-any.whl", True),
        ("other-2.0-cp311.cp313-cp313-manylinux1_x86_64.manylinux2014_x86_64.whl", True),
        ("other-2.0-cp313-cp313-win_amd64.whl", False),
        ("other-2.0-cp311-cp311-manylinux2014_x86_64.whl", False),
        ("other-2.0.tar.gz", True),
        ("", True),
    ],
)
def test_a_file_is_read_if_it_can_be_a_wheel_of_a_pin_or_for_the_target(filename, is_read):
    file = {"filename": filename, "url": f"https://index.example/{filename}", "hashes": {}}
    tags = {"py3-none-any", "cp313-cp313-manylinux2014_x86_64"}
    pinned = {"sums": frozenset({"1.1", "7"})}
    link = pip_for_target.useful_link(pinned, tags, file, "https://index.example/sums/")
    assert isinstance(link, Link) is is_read
