"""The folder that `make standalone` builds runs on machines that have no Python, and shows what is in it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.needs import standalone_folder
from tests.shipping.roots import PLACE, Controller, root_without_python
from tests.transport.sshd import public_folder, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.transport.sshd import Server

pytestmark = pytest.mark.needs("standalone")
OLDEST_GLIBC = (2, 17)
REGISTRY = ("--registry", "192.168.0.99")


@pytest.fixture
def folder() -> Path:
    return standalone_folder().resolve()


@pytest.fixture
def server() -> Iterator[Server]:
    with public_folder() as home, serving(home) as running:
        yield running


def is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def test_no_file_needs_a_later_glibc_than_the_readme_says(folder: Path) -> None:
    files = [str(path) for path in folder.rglob("*") if path.is_file() and is_elf(path)]
    assert str(folder / "bin/python3.13") in files
    listed = subprocess.run(["objdump", "-T", *files], check=True, capture_output=True, text=True).stdout
    needed = max((int(major), int(minor)) for major, minor in re.findall(r"\bGLIBC_(\d+)\.(\d+)", listed))
    assert needed <= OLDEST_GLIBC
    assert f"with glibc {needed[0]}.{needed[1]} or later" in (folder / "README.md").read_text(encoding="utf-8")


def test_every_part_is_listed_with_its_license(folder: Path) -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (folder / "LICENSES.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| ")
    ]
    listed = {name: license_ for name, _, license_ in rows[1:]}
    packages = {
        re.search(r"^Name: (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)[1]
        for file in folder.glob("lib/python3.13/site-packages/*.dist-info/METADATA")
    }
    assert len(packages) > 30
    assert listed.keys() == packages | {"python3.13", "openssl", "sqlite3", "libffi", "zlib"}
    assert not {name for name, license_ in listed.items() if license_ in ("", "UNKNOWN")}
    assert listed["ansible-core"] == "GPL-3.0-or-later"
    assert sorted(path.name for path in (folder / "licenses").iterdir()) == sorted(listed.keys() - packages)


def test_only_our_manual_pages_are_in_it(folder: Path) -> None:
    pages = [path for path in (folder / "share").rglob("*") if path.is_file()]
    assert folder / "share/man/man1/harbor-agent.1" in pages
    assert [path for path in pages if not path.match("man/man1/harbor-agent*.1")] == []


def test_nothing_in_it_names_the_place_where_it_was_built(folder: Path) -> None:
    programs = [path for path in (folder / "bin").iterdir() if path.name != "python3.13"]
    assert {"harbor-agent", "ansible", "ansible-playbook", "ansible-vault", "ansible-runner"} <= {
        p.name for p in programs
    }
    for path in programs:
        assert path.read_text(encoding="utf-8").startswith("#!/bin/sh\n")
    assert [path for path in folder.rglob("*") if path.is_symlink()] == []


@pytest.mark.needs("nodes")
@pytest.mark.parametrize("suite", ["bullseye", "bookworm"])
def test_a_machine_without_python_runs_it_from_a_read_only_folder(
    folder: Path, server: Server, tmp_path: Path, suite: str
) -> None:
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    shutil.copy(server.known_hosts, home / ".ssh/known_hosts")
    shutil.copy(server.key, home / "key")
    (home / "hosts").write_text(
        f"node1 ansible_host={server.address} ansible_port={server.port} ansible_user=root "
        "ansible_ssh_private_key_file=/root/key\n",
        encoding="utf-8",
    )
    machine = Controller(root=root_without_python(suite), home=home, folder=folder)
    assert machine.run("sh", "-c", "command -v python3 python perl-doc").returncode != 0
    assert machine.run("touch", f"{PLACE}/x").returncode != 0
    machine.link("harbor-agent")

    def agent(*arguments: str, code: int = 0) -> str:
        ran = machine.run("harbor-agent", *arguments)
        assert ran.returncode == code, ran.stdout + ran.stderr
        assert "Traceback" not in ran.stderr
        return ran.stdout

    def plan(*arguments: str) -> dict[str, Any]:
        ran = machine.run("harbor-agent", "plan", "-i", "hosts", *REGISTRY, "-o", "json", *arguments)
        (node,) = json.loads(ran.stdout)["nodes"]
        # What is planned for this machine is its own affair; that it was read is not.
        assert node["status"] not in ("unreachable", "failed"), ran.stdout + ran.stderr
        node.pop("seconds", None)
        return node

    assert "Usage: harbor-agent" in agent("--help")
    assert "--insecure-registry=192.168.0.99" in agent("render", *REGISTRY)
    assert plan() == plan("--transport", "ansible")
    # A run that reaches no node is in the history, which is a database of SQLite.
    agent("apply", "-i", "127.0.0.1:1,", *REGISTRY, "--yes", "--allow-unreachable-registry", code=4)
    assert "127.0.0.1" in agent("history", "-o", "json")
    trusted = "import os, ssl; print(len(os.listdir(ssl.get_default_verify_paths().capath)))"
    assert int(machine.run(f"{PLACE}/bin/python3.13", "-I", "-c", trusted).stdout) > 50
