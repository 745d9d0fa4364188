"""A file is replaced in one step: all of the new content or the old file, with mode, owner and attributes."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from harbor_agent.local.files import replace_file, rewrite_file

if TYPE_CHECKING:
    from pathlib import Path


def test_the_file_gets_its_content_and_mode(tmp_path: Path) -> None:
    file = tmp_path / "a"
    for content, mode in ((b"one", 0o600), (b"two", 0o644)):
        replace_file(str(file), content, mode=mode)
        assert file.read_bytes() == content
        assert stat.S_IMODE(file.stat().st_mode) == mode
    assert list(tmp_path.iterdir()) == [file]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("untouched")
    (tmp_path / "link").symlink_to("target")
    replace_file(str(tmp_path / "link"), b"new", mode=0o600)
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "untouched"


def test_a_failure_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b").write_text("old")
    with pytest.raises(OSError, match="directory"):
        replace_file(str(tmp_path / "a"), b"new", mode=0o600)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_path_below_an_open_directory(tmp_path: Path) -> None:
    handle = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        replace_file("a", b"new", mode=0o640, dir_fd=handle)
    finally:
        os.close(handle)
    assert (tmp_path / "a").read_bytes() == b"new"


def test_a_rewritten_file_keeps_mode_and_extended_attributes(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("old")
    file.chmod(0o640)
    try:
        os.setxattr(file, "user.team", b"shop")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    rewrite_file(str(file), b"new")
    assert os.getxattr(file, "user.team") == b"shop"
    assert file.read_bytes() == b"new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
