"""What keeps a tree from being released."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from changelog import UNRELEASED, read_sections
from versions import find_differences, read_version

if TYPE_CHECKING:
    from pathlib import Path


def find_faults(root: Path) -> list[str]:
    """Return a sentence for each reason not to release this tree."""
    return [*_check_tree(root), *_check_versions(root), *_check_changelog(root)]


def _check_tree(root: Path) -> list[str]:
    status = subprocess.run(
        ["git", "status", "--porcelain"],  # noqa: S607 - the git of whoever releases
        cwd=root,
        check=False,
        capture_output=True,
        text=True,
    )
    if status.returncode:
        return [f"git cannot read the tree: {status.stderr.strip()}"]
    changed = [line[3:] for line in status.stdout.splitlines()]
    return [f"the tree has files that are not committed: {', '.join(changed)}"] if changed else []


def _check_versions(root: Path) -> list[str]:
    differences = find_differences(root)
    return [f"the version is {read_version(root)}, but in {', '.join(differences)}"] if differences else []


def _check_changelog(root: Path) -> list[str]:
    version = read_version(root)
    sections = read_sections((root / "CHANGELOG.md").read_text(encoding="utf-8"))
    if not sections.get(version):
        return [f"CHANGELOG.md says nothing about {version}: make version VERSION={version}"]
    if sections.get(UNRELEASED):
        return [f"CHANGELOG.md has changes that are not in {version}: make version VERSION=…"]
    return []
