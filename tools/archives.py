"""Unpacks zips, and rejects members that would be written outside their folder."""

from collections.abc import Iterable
from pathlib import Path
from zipfile import BadZipFile, ZipFile, ZipInfo

from tools.command import Failure
from tools.zip_entries import unsafe_reason


def reject_unsafe(archive: Path, members: Iterable[ZipInfo]) -> None:
    """Fail if a member's path is absolute or leads outside its folder, or if it is a link or a device.

    Raises:
        Failure: names the first such member.
    """
    for member in members:
        if reason := unsafe_reason(member):
            raise Failure(f"{archive.name}: {member.filename!r} {reason}: do not use this archive")


def extract(path: Path, target: Path) -> None:
    """Unpack a zip into a folder; nothing is written unless every member is safe.

    Raises:
        Failure: the file is not a zip, or contains an unsafe member.
    """
    try:
        with ZipFile(path) as archive:
            members = archive.infolist()
            reject_unsafe(path, members)
            target.mkdir(parents=True, exist_ok=True)
            folders = {target}
            for member in members:
                place = target / member.filename
                folder = place if member.is_dir() else place.parent
                if folder not in folders:
                    folder.mkdir(parents=True, exist_ok=True)
                    folders.add(folder)
                if not member.is_dir():
                    place.write_bytes(archive.read(member))
    except BadZipFile as error:
        raise Failure(f"{path} cannot be read as a zip ({error})") from None
