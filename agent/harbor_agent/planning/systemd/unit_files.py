"""Which unit file and drop-ins systemd reads for a service (systemd.unit(5), "Unit File Load Path")."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from harbor_agent.model.state import FileKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.model.state import FileState

# Highest first; /lib is /usr/lib where the two are merged.
DIRECTORIES = (
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/system.attached",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/generator.late",
)
ADMINISTRATOR_DIRECTORY = "/etc/systemd/system"
# Files there are created again at each boot.
VOLATILE = ("/run/", "/var/run/", "/dev/", "/tmp/")  # noqa: S108 - nothing is written there
_NULL = "/dev/null"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitFiles:
    """The unit file and its drop-ins in the order in which they are read.

    `masked` are names that hide other drop-ins and hold nothing: links to /dev/null, directories.
    """

    name: str
    fragment: str
    drop_ins: tuple[str, ...]
    masked: tuple[str, ...]

    @property
    def drop_in_directory(self) -> str:
        """Where an administrator's drop-ins for this unit are."""
        return f"{ADMINISTRATOR_DIRECTORY}/{self.name}.d"

    def is_administrators(self, path: str) -> bool:
        """Whether the file is this unit's alone, and neither a package's nor created again at each boot."""
        return path == f"{ADMINISTRATOR_DIRECTORY}/{self.name}" or path.startswith(f"{self.drop_in_directory}/")


def find_unit_files(files: Mapping[str, FileState], name: str, loaded: str = "") -> UnitFiles | None:
    """Find the files of the unit `name`; None if there is no unit file in any directory, nor at the path `loaded`."""
    fragment = find_fragment(files, name, loaded)
    if not fragment:
        return None
    found = _find_drop_ins(files, name)
    # rule SD-06
    masked = tuple(path for path in found if _is_unread(files[path]))
    drop_ins = tuple(path for path in found if path not in masked)
    return UnitFiles(name=name, fragment=fragment, drop_ins=drop_ins, masked=masked)


def find_fragment(files: Mapping[str, FileState], name: str, loaded: str = "") -> str:
    """Return the path of the unit file, "" if there is none; `loaded` is the one that systemd has loaded."""
    # rule SD-07
    for directory in DIRECTORIES:
        path = f"{directory}/{name}"
        if path in files and files[path].exists:
            return path
    return loaded if loaded in files and files[loaded].exists else ""


def is_unit_masked(file: FileState) -> bool:
    """Whether a unit file masks its unit: a link to /dev/null, or an empty file."""
    # rule SD-08
    return is_masked(file) or file.content == b""


def list_drop_in_folders(name: str) -> tuple[str, ...]:
    """Return the names of the folders that systemd looks for drop-ins of a service in, in each of its directories."""
    return (*(f"{level}.d" for level in _list_levels(name)), "service.d")


def is_masked(file: FileState) -> bool:
    """Whether the path is a symbolic link to /dev/null."""
    return file.kind is FileKind.SYMLINK and file.link_target == _NULL


def _find_drop_ins(files: Mapping[str, FileState], name: str) -> list[str]:
    """Return one path a file name, ordered by name; the unit's own directories go before those of all services."""
    there: dict[str, list[str]] = {}
    for path, file in files.items():
        directory, _, base = path.rpartition("/")
        if _is_drop_in(base, file):
            there.setdefault(directory, []).append(base)
    found: dict[str, str] = {}
    for directory in _list_drop_in_directories(name):
        for base in there.get(directory, ()):
            # rule SD-02
            found.setdefault(base, f"{directory}/{base}")
    # rule SD-01
    return [found[base] for base in sorted(found, key=str.encode)]


@cache
def _list_drop_in_directories(name: str) -> tuple[str, ...]:
    """Return where systemd looks for drop-ins of a service, first wins."""
    own = [f"{parent}/{level}.d" for parent in DIRECTORIES for level in _list_levels(name)]
    # rule SD-03
    return (*own, *(f"{parent}/service.d" for parent in DIRECTORIES))


def _list_levels(name: str) -> list[str]:
    """Return a-b-c.service, a-b-.service and a-.service."""
    levels, stem = [name], name.removesuffix(".service")
    while "-" in stem.rstrip("-"):
        stem = stem.rstrip("-").rpartition("-")[0] + "-"
        # rule SD-04
        levels.append(f"{stem}.service")
    return levels


def _is_unread(file: FileState) -> bool:
    return is_masked(file) or file.kind in (FileKind.DIRECTORY, FileKind.OTHER)


def _is_drop_in(base: str, file: FileState) -> bool:
    # rule SD-05
    is_configuration = base.endswith(".conf") and not base.startswith(".")
    return is_configuration and file.exists
