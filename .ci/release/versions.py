"""The version, and each file that has to name it: only files that are used from a checkout name it themselves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHAPE = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
_CHART = "charts/harbor-agent/Chart.yaml"
_ENVIRONMENT = ".ci/image/execution-environment.yml"
# The first is the one that the package is built with; {} is the version.
_PLACES = (
    ("agent/harbor_agent/__init__.py", '__version__ = "{}"\n'),
    ("playbooks/collections/ansible_collections/harbor_agent/nodes/galaxy.yml", "\nversion: {}\n"),
    (_CHART, "\nversion: {}\n"),
    (_CHART, '\nappVersion: "{}"\n'),
    (_ENVIRONMENT, "harbor_node_agent-{}-py3-none-any.whl"),
    (_ENVIRONMENT, "harbor_agent-nodes-{}.tar.gz"),
)


def read_version(root: Path) -> str:
    """Return the version of the package."""
    return next(_read_versions(root))[1]


def find_differences(root: Path) -> list[str]:
    """Return each file whose version differs from the package's, with its version."""
    version = read_version(root)
    return [f"{path}: {found}" for path, found in _read_versions(root) if found != version]


def write_version(root: Path, version: str) -> None:
    """Write `version` into every file."""
    for path, line in _PLACES:
        text = (root / path).read_text(encoding="utf-8")
        written = _build_pattern(line).sub(lambda _, line=line: line.format(version), text)
        (root / path).write_text(written, encoding="utf-8")


def _read_versions(root: Path) -> Iterator[tuple[str, str]]:
    for path, line in _PLACES:
        found = _build_pattern(line).findall((root / path).read_text(encoding="utf-8"))
        yield from ((path, version) for version in found or ["none"])


def _build_pattern(line: str) -> re.Pattern[str]:
    before, after = map(re.escape, line.split("{}"))
    return re.compile(rf"{before}([^\s\"-]+?){after}")
