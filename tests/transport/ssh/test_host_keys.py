"""trust-hosts: new keys are shown, confirmed and added; changed ones never."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator

from tests.transport.at_terminal import at_terminal
from tests.transport.sshd import free_port, make_key

if TYPE_CHECKING:
    from tests.transport.sshd import Server

pytestmark = pytest.mark.needs("sshd", "root")

SCHEMA = json.loads((Path(__file__).parents[3] / "docs/schemas/trust-2.json").read_text(encoding="utf-8"))
PROGRAM = str(Path(sys.executable).with_name("harbor-agent"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".ssh").mkdir()
    return tmp_path


@pytest.fixture
def inventory(server: Server, home: Path) -> Path:
    path = home / "inventory.ini"
    path.write_text(f"node1 ansible_host=127.0.0.1 ansible_port={server.port}\n")
    return path


def trust(inventory: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [PROGRAM, "trust-hosts", "-i", str(inventory), *arguments]
    return subprocess.run(command, input=stdin, check=False, capture_output=True, text=True, timeout=90)


def hosts(done: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    document = json.loads(done.stdout)
    Draft202012Validator(SCHEMA).validate(document)
    return document["hosts"]


def only_host(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    (host,) = hosts(done)
    return host


def shown_fingerprint(server: Server) -> str:
    command = ["ssh-keygen", "-lf", str(server.home / "host_ed25519.pub")]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[1]


def test_a_new_key_is_added_once_its_fingerprint_is_confirmed(server: Server, home: Path, inventory: Path) -> None:
    asked = at_terminal([PROGRAM, "trust-hosts", "-i", str(inventory)], [(r"Is this key correct\?", "y")])

    assert asked.code == 0, asked.shown
    assert shown_fingerprint(server) in asked.shown
    (line,) = (home / ".ssh/known_hosts").read_text().splitlines()
    assert line.split()[1:] == server.host_key().split()
    # OpenSSH itself finds it, by its hash.
    found = subprocess.run(
        ["ssh-keygen", "-F", f"[127.0.0.1]:{server.port}", "-f", str(home / ".ssh/known_hosts")], check=False
    )
    assert found.returncode == 0
    assert only_host(trust(inventory, "-o", "json"))["status"] == "known"


def test_declining_adds_nothing(home: Path, inventory: Path) -> None:
    asked = at_terminal([PROGRAM, "trust-hosts", "-i", str(inventory)], [(r"Is this key correct\?", "n")])

    assert asked.code == 7
    assert not (home / ".ssh/known_hosts").exists()


def test_without_a_terminal_no_key_is_added(home: Path, inventory: Path) -> None:
    done = trust(inventory)

    assert (done.returncode, "not-confirmed" in done.stderr) == (7, True)
    assert not (home / ".ssh/known_hosts").exists()


def test_yes_prints_the_keys_it_adds(server: Server, home: Path, inventory: Path) -> None:
    done = trust(inventory, "--yes", "-o", "json")

    assert done.returncode == 0
    assert shown_fingerprint(server) in done.stderr
    assert "added without comparison" in done.stderr
    host = only_host(done)
    assert (host["status"], host["fingerprint"]) == ("added", shown_fingerprint(server))
    assert host["known_hosts"] == str(home / ".ssh/known_hosts")
    assert (home / ".ssh/known_hosts").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("hashed", ["yes", "no"])
def test_the_line_has_the_configured_form(server: Server, home: Path, inventory: Path, hashed: str) -> None:
    (home / ".ssh/config").write_text(f"Host *\n  HashKnownHosts {hashed}\n")
    (home / ".ssh/known_hosts").write_text("# without an end of line")

    assert trust(inventory, "--yes").returncode == 0

    first, line = (home / ".ssh/known_hosts").read_text().splitlines()
    assert first == "# without an end of line"
    assert line.startswith("|1|" if hashed == "yes" else f"[127.0.0.1]:{server.port} ")


def test_a_changed_key_is_refused_with_a_hint(server: Server, home: Path, inventory: Path) -> None:
    make_key(home / "other")
    before = f"[127.0.0.1]:{server.port} {' '.join((home / 'other.pub').read_text().split()[:2])}\n"
    (home / ".ssh/known_hosts").write_text(before)

    done = trust(inventory, "--yes", "-o", "json")

    host = only_host(done)
    assert (done.returncode, host["status"], host["code"]) == (4, "changed", "host-key-changed")
    assert f"ssh-keygen -R '[127.0.0.1]:{server.port}'" in str(host["hint"])
    assert (home / ".ssh/known_hosts").read_text() == before


def test_a_host_that_does_not_answer_is_reported_and_the_others_are_added(home: Path, inventory: Path) -> None:
    with inventory.open("a") as file:
        file.write(f"dead ansible_host=127.0.0.1 ansible_port={free_port()}\n")
        file.write("skipped ansible_host=127.0.0.1 ansible_port=1 harbor_skip=yes\n")

    done = trust(inventory, "--yes", "-o", "json")

    statuses = {host["host"]: host["status"] for host in hosts(done)}
    assert statuses == {"node1": "added", "dead": "unreachable"}
    assert done.returncode == 4
    assert len((home / ".ssh/known_hosts").read_text().splitlines()) == 1


def test_a_file_that_cannot_be_written_is_an_error(home: Path, inventory: Path) -> None:
    (home / ".ssh/known_hosts").mkdir()

    done = trust(inventory, "--yes")

    assert (done.returncode, "known-hosts-unwritable" in done.stderr) == (2, True)


def test_two_names_of_one_machine_need_one_confirmation(home: Path, inventory: Path, server: Server) -> None:
    with inventory.open("a") as file:
        file.write(f"alias ansible_host=127.0.0.1 ansible_port={server.port}\n")

    assert only_host(trust(inventory, "--yes", "-o", "json"))["status"] == "added"
    assert len((home / ".ssh/known_hosts").read_text().splitlines()) == 1
