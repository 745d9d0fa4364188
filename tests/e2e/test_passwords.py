"""Passwords appear in no process list, on no disk of node or controller, and in nothing that a run prints or keeps."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

import pytest

from tests.e2e.site import IMAGE, PULLER
from tests.faults.failpoint import PULLING, Failpoint, held, install

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.e2e.site import Site
    from tests.lab.node import LabNode

pytestmark = [pytest.mark.needs("nodes"), pytest.mark.field("attack-passwords")]

_BECOME_PASSWORD = f"root-canary-{token_hex(8)}"
_SHOWS = ("cmdline", "environ")


def _encode(text: bytes) -> set[bytes]:
    """Return what is constant of the text's base64 form, wherever it is in a larger text."""
    return {base64.b64encode(b"\0" * shift + text)[4 if shift else 0 : -4] for shift in range(3)}


_NEEDLES = {_BECOME_PASSWORD.encode(), PULLER.password.encode()}
_NEEDLES |= {once for text in tuple(_NEEDLES) for once in _encode(text)}
_NEEDLES |= {twice for once in tuple(_NEEDLES) for twice in _encode(once)}


def _holds_password(content: bytes) -> bool:
    return any(needle in content for needle in _NEEDLES)


class _Watch:
    """Samples every process of the machine, those of the nodes included, and what ansible-runner writes."""

    def __init__(self) -> None:
        self.found: set[str] = set()
        self.samples = 0
        self.seen: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self._over.is_set():
            self.sample()

    def sample(self) -> None:
        self.samples += 1
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                self.seen.add((process / "comm").read_text().strip())
            self._check(process / name for name in _SHOWS)
        for folder in Path("/dev/shm").glob("harbor-agent-ansible.*"):
            self._check(Path(path, name) for path, _, names in os.walk(folder) for name in names)

    def _check(self, paths: Iterable[Path]) -> None:
        for path in paths:
            with suppress(OSError):
                if path.is_file() and _holds_password(path.read_bytes()):
                    program = path.parent / "comm"
                    self.found.add(f"{path} {program.read_text() if program.exists() else ''}")

    @contextmanager
    def watching(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._over.set()
            self._thread.join()


def _list_files_with_passwords(folder: Path) -> list[str]:
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return [str(path) for path in files if _holds_password(path.read_bytes())]


def _list_files_of(lab: str) -> list[str]:
    """Return what a run of this lab left for ansible-runner; other tests have their own runs there."""
    found = []
    for path in Path("/dev/shm").glob("harbor-agent-ansible.*/**/*"):
        with suppress(OSError):
            if path.is_file() and lab.encode() in path.read_bytes():
                found.append(str(path))
    return found


def _assert_clean(node: LabNode) -> None:
    """Assert that a node's disk, memory and journal hold no password."""
    assert _list_files_with_passwords(node.folder / "upper") == []
    needles = b"\n".join(sorted(_NEEDLES)) + b"\n"
    kept = node.run("grep -rlaFf - /run /dev/shm /tmp 2>/dev/null", stdin=needles, check=False)
    assert kept.stdout == "", kept.stdout
    journal = node.run("cat >/run/needles; journalctl --no-pager -o cat | grep -aFf /run/needles; rm /run/needles")
    assert journal.stdout == ""


@pytest.mark.parametrize(
    "text",
    [PULLER.password, base64.b64encode(f"me:{_BECOME_PASSWORD}".encode()).decode()],
    ids=["as it is", "as a login"],
)
def test_a_password_in_a_process_list_would_be_found(text: str) -> None:
    with subprocess.Popen(["sleep", "60"], env={"X": text}) as process:
        watch = _Watch()
        watch.sample()
        process.kill()
    assert [place.split()[0] for place in watch.found] == [f"/proc/{process.pid}/environ"]


@pytest.mark.parametrize("transport", ["ssh", "ansible"])
def test_no_password_is_left_or_shown(fresh_site: Site, transport: str, tmp_path: Path) -> None:
    site, lab = fresh_site, fresh_site.lab
    node = site.nodes[0] if transport == "ssh" else site.nodes[1]
    install(node)
    node.run("chpasswd", stdin=f"opspw:{_BECOME_PASSWORD}\n".encode())
    password = tmp_path / "password"
    password.write_text(PULLER.password)
    login = {"username": PULLER.name, "password_file": str(password)}
    registry = {"address": site.registry.entry, "verify_image": IMAGE, "credentials": login}
    settings = lab.folder / "passwords.yaml"
    settings.write_text(json.dumps({"registries": [registry]}))
    inventory = lab.write_inventory(
        "passwords.ini", nodes=[node], user="opspw", variables={"ansible_become_password": _BECOME_PASSWORD}
    )
    inventory = inventory.rename(tmp_path / "passwords.ini")
    plan = tmp_path / "change.plan"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        program = str(Path(sys.executable).with_name("harbor-agent"))
        done = lab.run([program, *arguments, "--transport", transport, "-vv", "--debug"], cwd=lab.home)
        assert not _holds_password((done.stdout + done.stderr).encode()), arguments
        assert "debug: nodes: " in done.stderr
        return done

    nodes = ("-i", str(inventory))
    watch, point = _Watch(), Failpoint(node, PULLING)
    with watch.watching():
        planned = run("plan", *nodes, "-c", str(settings), "--out", str(plan))
        assert planned.returncode == 0, planned.stderr
        assert not _holds_password(plan.read_bytes())
        with held(point):
            applying = threading.Thread(target=run, args=("apply", *nodes, "-c", str(settings), "--yes"))
            applying.start()
            point.wait()
            watch.sample()
            point.release()
            applying.join()
        for command in ("verify", "drift"):
            done = run(command, *nodes, "-c", str(settings))
            assert done.returncode == 0, done.stdout + done.stderr
        back = run("rollback", *nodes, "--node", node.name, "--yes")
        assert back.returncode == 0, back.stdout + back.stderr
    assert watch.found == set()
    assert {"sudo", "docker"} <= watch.seen
    assert _list_files_with_passwords(lab.home) == []
    assert _list_files_of(lab.name) == []
    _assert_clean(node)
