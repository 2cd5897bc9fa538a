"""Changes pip in this process: it selects wheels for the target, whatever interpreter and settings it has.

pip has no public interface for this; `--platform` alone leaves markers and the order of wheels to the host.
"""

import contextlib
import itertools
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from unittest import mock

from pip._internal.cli.parser import ConfigOptionParser
from pip._internal.index import collector
from pip._internal.models.link import Link
from pip._internal.models.target_python import TargetPython
from pip._vendor.packaging import tags
from pip._vendor.packaging.utils import canonicalize_name

from layers import target

_CONTRADICTING = frozenset(
    {
        *("abi", "implementation", "platform", "python-version"),
        *("build-constraint", "constraint", "editable", "requirement"),
        *("no-binary", "no-deps", "only-binary", "pre", "prefer-binary", "require-hashes"),
        *("dest", "quiet", "target", "user"),
    }
)
"""Settings of the user's pip that would change what a lock or a download contains."""

_from_json = Link.from_json
_failed = collector._handle_get_simple_fail  # noqa: SLF001 - see above
_items = ConfigOptionParser._get_ordered_configuration_items  # noqa: SLF001


@contextlib.contextmanager
def pip_for_target(
    architecture: str,
    *,
    newer: bool = True,
    pinned: Mapping[str, frozenset[str]] | None = None,
    failures: list[str] | None = None,
) -> Iterator[None]:
    """Change pip while the context lasts.

    Args:
        architecture: Lambda's name of the architecture.
        newer: whether wheels for platforms newer than manylinux2014 are allowed.
        pinned: versions by normalized name. Files of other versions of these distributions are not read, and
            of other distributions no wheels for other targets: an index's page names every file of every
            release, and parsing them is most of pip's work. The mapping may change while the context lasts.
        failures: receives why a page of the index could not be read; pip's default level hides it.
    """
    allowed = target.tags(tags, architecture, newer=newer)
    names = frozenset(map(str, allowed))
    versions = {} if pinned is None else pinned

    def items(self: ConfigOptionParser) -> Iterator[tuple[str, Any]]:
        return (item for item in _items(self) if item[0].replace("_", "-") not in _CONTRADICTING)

    def failed(link: Link, reason: Any, meth: Any = None) -> None:
        (failures if failures is not None else []).append(str(reason))
        _failed(link, reason, meth=meth or collector.logger.warning)

    with (
        mock.patch.object(TargetPython, "get_sorted_tags", return_value=allowed),
        mock.patch.object(ConfigOptionParser, "_get_ordered_configuration_items", items),
        mock.patch.object(collector, "_handle_get_simple_fail", failed),
        mock.patch.object(
            Link, "from_json", lambda file, page_url: useful_link(versions, names, file, page_url)
        ),
    ):
        yield


def useful_link(
    pinned: Mapping[str, frozenset[str]], wheel_tags: Collection[str], file: dict[str, Any], page: str
) -> Link | None:
    """The link of a page's file (PEP 691); None for a file that cannot be a wheel of a pinned version.

    Of a distribution that is not pinned, a wheel is useful if it has one of the tags.
    """
    filename = str(file.get("filename", ""))
    name, _, rest = filename.partition("-")  # a wheel's name holds no other (PEP 427)
    versions = pinned.get(canonicalize_name(name))
    useful = _may_be_for(wheel_tags, filename) if versions is None else rest.partition("-")[0] in versions
    return _from_json(file, page) if useful else None


def _may_be_for(wheel_tags: Collection[str], filename: str) -> bool:
    if not filename.endswith(".whl"):
        return True
    sets = [part.split(".") for part in filename.removesuffix(".whl").lower().split("-")[-3:]]
    return any("-".join(tag) in wheel_tags for tag in itertools.product(*sets))
