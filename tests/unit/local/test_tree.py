"""A tree is read and written as the system in it would see it, and never left."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from harbor_agent.errors import AgentError, UsageError
from harbor_agent.local.tree import Tree
from harbor_agent.model.plan import FileChange
from harbor_agent.model.state import FileKind, FileState

if TYPE_CHECKING:
    from collections.abc import Iterator
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
    with pytest.raises(AgentError, match="has changed since it was planned"):
        tree.write(FileChange(before=before, after=before, reason=""))
    assert file.read_bytes() == b"new"


def new_file(path: str = "/etc/docker/daemon.json") -> FileChange:
    after = FileState(path=path, kind=FileKind.REGULAR, content=b"{}", mode=0o644, uid=os.getuid(), gid=os.getgid())
    return FileChange(before=FileState(path=path), after=after, reason="")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("/data/docker", "/etc/docker is a symbolic link whose target is not in the tree"),
        ("docker", "/etc/docker is a symbolic link whose target is not in the tree"),
        (None, "/etc/docker is not a directory"),
    ],
    ids=["dangling", "in circles", "a file"],
)
def test_a_folder_that_cannot_be_had_is_said_and_not_replaced(root: Path, target: str | None, words: str) -> None:
    folder = root / "etc/docker"
    folder.rmdir()
    if target:
        folder.symlink_to(target)
    else:
        folder.write_text("a file")
    tree = Tree(str(root))
    assert tree.state("/etc/docker/daemon.json").kind is FileKind.ABSENT
    with pytest.raises(AgentError) as caught:
        tree.write(new_file())
    assert caught.value.problem.code == "root-unwritable"
    assert caught.value.problem.message == f"cannot write {root}/etc/docker/daemon.json: {words}"
    assert folder.is_symlink() == (target is not None)


def test_a_link_to_a_folder_in_the_tree_is_written_through(root: Path) -> None:
    (root / "etc/docker").rmdir()
    (root / "data").mkdir()
    (root / "etc/docker").symlink_to("/data")
    Tree(str(root)).write(new_file())
    assert (root / "data/daemon.json").read_bytes() == b"{}"


def test_what_a_killed_run_left_is_no_obstacle(root: Path) -> None:
    (root / "etc/docker/.daemon.json.harbor-agent").write_text("half")
    Tree(str(root)).write(new_file())
    assert [path.name for path in (root / "etc/docker").iterdir()] == ["daemon.json"]


@contextmanager
def as_nobody() -> Iterator[None]:
    """Have the rights of one who owns nothing of the tree."""
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.needs("root")
def test_what_may_not_be_read_is_no_empty_tree(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "etc/docker/daemon.json").write_text("{}")
    (root / "etc/docker/daemon.json").chmod(0o600)
    (root / "etc/closed").mkdir(mode=0o700)
    (root / "etc/closed/x.conf").write_text("[Service]")
    # what lies above the tree is pytest's alone
    monkeypatch.chdir(root)
    with as_nobody():
        tree = Tree(".")
        assert tree.state("/etc/docker/daemon.json").kind is FileKind.UNREADABLE
        assert tree.state("/etc/closed/x.conf").kind is FileKind.UNREADABLE
        assert (tree.names("/etc/closed"), tree.closed) == ([], ["/etc/closed"])
        with pytest.raises(AgentError, match="Permission denied"):
            tree.write(new_file("/etc/docker/other.json"))


def test_a_file_that_is_too_large_is_not_read(root: Path) -> None:
    (root / "etc/docker/daemon.json").write_bytes(b" " * (1 << 20) + b"{}")
    assert Tree(str(root)).state("/etc/docker/daemon.json").kind is FileKind.TOO_LARGE


def test_takes_a_file_away(root: Path) -> None:
    file = root / "etc/docker/daemon.json"
    file.write_bytes(b"{}")
    before = Tree(str(root)).state("/etc/docker/daemon.json")
    Tree(str(root)).write(FileChange(before=before, after=FileState(path=before.path), reason=""))
    assert not file.exists()


def test_the_emptied_directory_of_a_registry_goes_with_its_file(root: Path) -> None:
    for name in ("a.lan", "b.lan"):
        (root / "etc" / name).mkdir()
        (root / "etc" / name / "hosts.toml").write_text("")
    (root / "etc/b.lan/ca.crt").write_text("")
    tree = Tree(str(root))
    for name in ("a.lan", "b.lan"):
        before = tree.state(f"/etc/{name}/hosts.toml")
        tree.write(FileChange(before=before, after=FileState(path=before.path), reason=""))
    assert sorted(path.name for path in (root / "etc").iterdir()) == ["b.lan", "docker"]


def test_a_missing_root_is_said() -> None:
    with pytest.raises(UsageError, match="no such directory"):
        Tree("/nowhere/at/all")
