"""docs/reference/licenses.md lists each package that harbor-agent is shipped with, by the packages' own metadata."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import Distribution
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs/reference/licenses.md"
_ROW = re.compile(r"^\| ([a-z0-9-]+) \| ([^|]+) \|$", re.MULTILINE)


def list_direct() -> list[str]:
    """What users install: the dependencies, and the extra that images and folders have too."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["ansible"]]


def find_shipped(lines: Iterable[str]) -> dict[str, Distribution]:
    """Follow requirements as pip does, for this Python."""
    found: dict[str, Distribution] = {}
    pending = [(Requirement(line), "") for line in lines]
    while pending:
        requirement, extra = pending.pop()
        if requirement.marker and not requirement.marker.evaluate({**default_environment(), "extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        is_new = name not in found
        if is_new:
            found[name] = Distribution.from_name(name)
        for wanted in ["", *requirement.extras] if is_new else requirement.extras:
            pending += [(Requirement(line), wanted) for line in found[name].requires or ()]
    return found


def test_every_package_that_is_shipped_is_listed_with_its_license(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / ".ci/standalone"))
    from licenses import find_license  # type: ignore[import-not-found] # noqa: PLC0415 - beside the build that uses it

    listed = {name: license_ for name, license_ in _ROW.findall(PAGE.read_text(encoding="utf-8")) if name != "package"}
    shipped = {name: find_license(one) for name, one in find_shipped(list_direct()).items()}
    rows = "".join(f"| {name} | {shipped[name]} |\n" for name in sorted(shipped))
    # Other Pythons and other versions need some packages more.
    current = {name: listed.get(name) for name in shipped}
    assert current == shipped, f"the rows of this environment are:\n{rows}"
    assert list(listed) == sorted(listed)
    assert len(shipped) > 25
