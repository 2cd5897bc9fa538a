"""What the index has of a package, read with pip's finder, to say why there is no wheel for the target."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.tags import Tag
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import Version
from pip._internal.index.collector import LinkCollector, parse_links
from pip._internal.models.link import Link
from pip._internal.models.target_python import TargetPython

from layers import target

_SHOWN = 4


def target_python() -> TargetPython:
    """The target, for pip's finder; its wheel tags are set by `pip_for_target`."""
    return TargetPython(None, target.VERSION, [target.ABI], "cp")


def hashes(repository: Any, requirement: Any) -> dict[str, str]:
    """The hashes of a pinned requirement's files, as the index's page states them, by the files' addresses.

    It replaces a function of pip-compile that reads PyPI's JSON API. pip-compile downloads and hashes every
    file that the API does not list, which for a mirror is all wheels for all platforms.
    """
    links = [candidate.link for candidate in repository._get_matching_candidates(requirement)]  # noqa: SLF001
    return {link.url: f"sha256:{link.hash}" for link in links if link.hash_name == "sha256"}


def read_once() -> Callable[..., Any]:
    """A `LinkCollector.fetch_response` that reads each page only once."""
    fetch = LinkCollector.fetch_response
    pages: dict[str, Any] = {}

    def fetch_once(self: LinkCollector, location: Link, *given: Any, **named: Any) -> Any:
        if location.url not in pages:
            pages[location.url] = fetch(self, location, *given, **named)
        return pages[location.url]

    return fetch_once


def needed_glibc(candidates: Iterable[Any], version: str) -> tuple[int, int] | None:
    """The oldest glibc that a wheel of this version needs; None if one of them needs none."""
    needed = []
    for candidate in candidates:
        if candidate.version.public == Version(version).public and candidate.link.is_wheel:
            glibc = target.needed_glibc(parse_wheel_filename(candidate.link.filename)[3])
            if glibc is None:
                return None
            needed.append(glibc)
    return min(needed, default=None)


def reason(finder: Any, requirement: str) -> str:
    """What the index has of a requirement that has no wheel for the target; empty if that is unknown."""
    try:
        wanted = Requirement(requirement)
    except InvalidRequirement:
        return ""
    files = list(_files(finder, wanted.name))
    if not files:
        return "it has no package of this name"
    matching = [tags for version, tags in files if wanted.specifier.contains(version, prereleases=True)]
    if not matching:
        newest = max(version for version, _ in files)
        return f"no release satisfies it: the newest is {newest}"
    wheels = {_short(tag) for tags in matching for tag in tags}
    if not wheels:
        return "it has only source distributions, which would have to be compiled"
    shown = sorted(wheels, reverse=True)
    return f"it has wheels for {', '.join(shown[:_SHOWN])}{' and others' if len(shown) > _SHOWN else ''} only"


def _short(tag: Tag) -> str:
    return f"{tag.interpreter}-{tag.platform}"


def _files(finder: Any, name: str) -> Iterator[tuple[Version, frozenset[Tag]]]:
    """The versions of the index's files, with the tags of the wheels."""
    collector = finder._link_collector  # noqa: SLF001 - pip has no public interface
    for url in finder.search_scope.get_index_urls_locations(name):
        page = collector.fetch_response(Link(url))
        for link in parse_links(page) if page else ():
            try:
                if link.filename.endswith(".whl"):
                    found, version, _, tags = parse_wheel_filename(link.filename)
                else:
                    (found, version), tags = parse_sdist_filename(link.filename), frozenset()
            except (InvalidWheelFilename, InvalidSdistFilename):
                continue
            if found == canonicalize_name(name):
                yield version, tags
