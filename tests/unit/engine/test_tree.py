"""A tree is read and written as the system in it would see it, and never left."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from agent.engine.tree import Tree
from agent.errors import AgentError, UsageError
from agent.model.plan import FileChange
from agent.model.state import FileKind, FileState

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "etc/docker").mkdir(parents=True)
    (tmp_path / "outside").write_text("secret of the host")
    return root


def test_reads_content_mode_and_absence(root: Path) -> None:
    file = root / "etc/docker/daemon.json"
    file.write_bytes(b"{}\n")
    file.chmod(0o640)
    state = Tree(str(root)).state("/etc/docker/daemon.json")
    assert (state.kind, state.content, state.mode) == (FileKind.REGULAR, b"{}\n", 0o640)
    assert Tree(str(root)).state("/etc/nothing/here").kind is FileKind.ABSENT


@pytest.mark.parametrize("target", ["../../../outside", "/../outside", "../../../../../../../../outside"])
def test_no_link_leads_out(root: Path, target: str) -> None:
    (root / "etc/docker/daemon.json").symlink_to(target)
    state = Tree(str(root)).state("/etc/docker/daemon.json")
    assert state.kind is FileKind.SYMLINK
    assert state.link_target == target
    assert state.content is None


def test_a_folder_that_is_a_link_out_is_not_entered(root: Path, tmp_path: Path) -> None:
    (root / "etc/docker").rmdir()
    (root / "etc/docker").symlink_to(tmp_path)
    assert Tree(str(root)).state("/etc/docker/outside").kind is FileKind.ABSENT


def test_absolute_links_start_at_the_root_of_the_tree(root: Path) -> None:
    (root / "usr/lib/systemd").mkdir(parents=True)
    (root / "usr/lib/systemd/x").write_text("inside")
    (root / "lib").symlink_to("/usr/lib")
    assert Tree(str(root)).state("/lib/systemd/x").content == b"inside"


def test_a_circle_of_links_is_no_hang(root: Path) -> None:
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    assert Tree(str(root)).state("/a").content is None


def test_a_pipe_in_place_of_a_file_is_no_hang(root: Path) -> None:
    os.mkfifo(root / "etc/docker/daemon.json")
    assert Tree(str(root)).state("/etc/docker/daemon.json").kind is FileKind.OTHER


def test_writes_a_new_file_in_a_new_folder(root: Path) -> None:
    path = "/etc/systemd/system/docker.service.d/docker-options.conf"
    after = FileState(
        path=path, kind=FileKind.REGULAR, content=b"[Service]\n", mode=0o644, uid=os.getuid(), gid=os.getgid()
    )
    Tree(str(root)).write(FileChange(before=FileState(path=path), after=after, reason=""))
    assert (root / path[1:]).read_bytes() == b"[Service]\n"
    assert [p.name for p in (root / path[1:]).parent.iterdir()] == ["docker-options.conf"]


def test_a_file_that_moved_is_not_overwritten(root: Path) -> None:
    file = root / "etc/docker/daemon.json"
    file.write_bytes(b"new")
    tree = Tree(str(root))
    before = FileState(path="/etc/docker/daemon.json", kind=FileKind.REGULAR, content=b"old", mode=0o644)
    with pytest.raises(AgentError, match="no longer as it was planned"):
        tree.write(FileChange(before=before, after=before, reason=""))
    assert file.read_bytes() == b"new"


def test_takes_a_file_away(root: Path) -> None:
    file = root / "etc/docker/daemon.json"
    file.write_bytes(b"{}")
    before = Tree(str(root)).state("/etc/docker/daemon.json")
    Tree(str(root)).write(FileChange(before=before, after=FileState(path=before.path), reason=""))
    assert not file.exists()


def test_a_missing_root_is_said() -> None:
    with pytest.raises(UsageError, match="no such directory"):
        Tree("/nowhere/at/all")
