"""pip that reads files of the pinned releases only: `pinned_pip.py <version,…> download …`.

An index's page names every file of every release; pip parses each name and address to choose one, and for a
lock that is most of its work. Here it gets only those that can be a wheel of one of the versions.
"""

import sys
from typing import Any

from pip._internal.cli.main import main
from pip._internal.models.link import Link

_from_json = Link.from_json


def link_of_pinned(versions: frozenset[str], file: dict[str, Any], page: str) -> Link | None:
    """The link of a page's file (PEP 691), if its name is that of a wheel of one of the versions."""
    _, _, rest = str(file.get("filename", "")).partition("-")  # a wheel's name holds no other (PEP 427)
    return _from_json(file, page) if rest.partition("-")[0] in versions else None


if __name__ == "__main__":
    pinned = frozenset(sys.argv[1].split(","))
    Link.from_json = lambda file, page_url: link_of_pinned(pinned, file, page_url)  # type: ignore[assignment, method-assign]
    sys.exit(main(sys.argv[2:]))
