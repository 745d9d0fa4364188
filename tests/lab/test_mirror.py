"""Nodes are built from where this machine gets Debian, whatever way that is written down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.mirror import debian_mirror

if TYPE_CHECKING:
    from pathlib import Path

_DEB822 = """\
Types: deb
URIs: https://download.docker.com/linux/debian
Suites: bookworm
Components: stable

# a comment
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
"""


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("HARBOR_AGENT_LAB_MIRROR", raising=False)
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "os-release").write_text('ID=debian\nVERSION_CODENAME="bookworm"\n')
    return tmp_path


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("sources.list.d/debian.sources", _DEB822),
        ("sources.list", "# deb cdrom:[x]/ bookworm main\ndeb http://mirror.example/debian bookworm main contrib\n"),
        ("sources.list", "deb [signed-by=/usr/share/keyrings/x.gpg] http://mirror.example/debian stable main\n"),
        ("sources.list.d/own.list", "deb-src http://a/b bookworm main\ndeb http://mirror.example/debian sid main\n"),
    ],
)
def test_the_mirror_is_the_one_that_serves_this_release(apt: Path, file: str, text: str) -> None:
    (apt / file).write_text(text)
    assert debian_mirror(apt, apt / "os-release") == "http://mirror.example/debian"


def test_a_mirror_can_be_named(apt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARBOR_AGENT_LAB_MIRROR", "http://named.example/debian")
    assert debian_mirror(apt, apt / "os-release") == "http://named.example/debian"


def test_another_distribution_is_told_what_to_set(apt: Path) -> None:
    (apt / "os-release").write_text("ID=ubuntu\nVERSION_CODENAME=noble\n")
    (apt / "sources.list").write_text("deb http://archive.ubuntu.com/ubuntu noble main\n")
    with pytest.raises(LookupError, match="HARBOR_AGENT_LAB_MIRROR"):
        debian_mirror(apt, apt / "os-release")
