"""Write a new version into every file that names it, and begin its section of the changelog.

raise_version.py VERSION
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from changelog import UNRELEASED, begin_section, read_sections
from versions import SHAPE, read_version, write_version

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Check everything, then write."""
    version = sys.argv[1]
    changelog = ROOT / "CHANGELOG.md"
    text = changelog.read_text(encoding="utf-8")
    if reason := find_reason_against(version, read_version(ROOT), read_sections(text)):
        sys.exit(f"version: {reason}")
    write_version(ROOT, version)
    changelog.write_text(begin_section(text, version, datetime.now(UTC).date()), encoding="utf-8")
    sys.stdout.write(f"version: {version} is set; review and commit it, then run 'make release'\n")


def find_reason_against(version: str, current: str, sections: dict[str, str]) -> str | None:
    """Return why `version` cannot follow `current`, or None. The first release may have the current one."""
    if not SHAPE.fullmatch(version):
        return f"'{version}' is not MAJOR.MINOR.PATCH"
    if version in sections:
        return f"CHANGELOG.md has a section for {version}"
    if _split(version) < _split(current):
        return f"{version} is before {current}"
    if not sections.get(UNRELEASED):
        return f"CHANGELOG.md has nothing under [{UNRELEASED}]"
    return None


def _split(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


if __name__ == "__main__":
    main()
