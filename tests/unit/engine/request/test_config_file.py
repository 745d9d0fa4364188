"""harbor-agent.yaml: an error names file and line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.request.config_file import load_configuration
from harbor_agent.errors import UsageError
from harbor_agent.model.policy import RouteChoice
from harbor_agent.planning.config.schema import PolicyLayer

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_file_in_this_directory_is_read_if_it_exists(folder: Path) -> None:
    assert load_configuration(None) == PolicyLayer()
    (folder / "harbor-agent.yaml").write_text("route: drop-in\n")
    assert load_configuration(None).route is RouteChoice.DROP_IN


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("registries:\n  - address: a\n    stat: absent\n", r"c\.yaml:3: unknown key 'stat'"),
        ("registries: [a\nroute: x\n", r"c\.yaml:2: not YAML"),
        ("route: auto\nroute: drop-in\n", r"c\.yaml:2: duplicate key 'route' \(first in line 1\)"),
        ("rollout:\n  batch: none\n", r"c\.yaml:2: 'batch' must be"),
        ("- a\n", r"c\.yaml:1: expected a mapping"),
        ("\x00", r"c\.yaml: not YAML"),
        ("route: 2024-13-45\n", r"c\.yaml: not YAML: month must be"),
        (f"registries: {'[' * 2000}{']' * 2000}\n", r"c\.yaml: values are nested too deeply"),
        ("registries: &a [*a]\n", r"c\.yaml:1: expected a mapping"),
        ("route: &a {b: *a}\n", r"c\.yaml:1: 'route' must be text"),
    ],
)
def test_an_error_names_file_and_line(folder: Path, text: str, expected: str) -> None:
    (folder / "c.yaml").write_text(text)
    with pytest.raises(UsageError, match=expected):
        load_configuration("c.yaml")


def test_a_named_file_that_is_missing_or_binary_is_an_error(folder: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        load_configuration("missing.yaml")
    (folder / "b.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=r"b\.yaml"):
        load_configuration("b.yaml")
