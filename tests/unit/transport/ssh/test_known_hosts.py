"""known_hosts in every form of sshd(8); the hashed lines are from ssh-keygen."""

from __future__ import annotations

import base64
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from harbor_agent.transport.ssh.known_hosts import KnownHosts, Verdict, fingerprint, known_names

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Load = Callable[..., KnownHosts]

KEY, OTHER = b"\0\0\0\x0bssh-ed25519 one", b"\0\0\0\x0bssh-ed25519 two"
TYPE = "ssh-ed25519"


def line(hosts: str, key: bytes = KEY, key_type: str = TYPE) -> str:
    return f"{hosts} {key_type} {base64.b64encode(key).decode()} a comment"


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load_lines(*lines: str) -> KnownHosts:
        path = tmp_path / "known_hosts"
        path.write_text("\n".join(lines))
        return KnownHosts.load([path, tmp_path / "absent"])

    return load_lines


@pytest.mark.parametrize(
    ("hosts", "host", "port", "verdict"),
    [
        ("node1", "node1", 22, Verdict.KNOWN),
        ("Node1", "nODE1", 22, Verdict.KNOWN),
        ("node2,node1,10.0.0.1", "10.0.0.1", 22, Verdict.KNOWN),
        ("node1", "node11", 22, Verdict.UNKNOWN),
        ("*.lan", "node1.lan", 22, Verdict.KNOWN),
        ("node?", "node1", 22, Verdict.KNOWN),
        ("node?", "node12", 22, Verdict.UNKNOWN),
        ("*.lan,!bad.lan", "bad.lan", 22, Verdict.UNKNOWN),
        ("!bad.lan,*.lan", "good.lan", 22, Verdict.KNOWN),
        ("[node1]:2222", "node1", 2222, Verdict.KNOWN),
        ("[node1]:2222", "node1", 22, Verdict.UNKNOWN),
        ("[node1]:2222", "node1", 2223, Verdict.UNKNOWN),
        ("[*.lan]:2222", "node1.lan", 2222, Verdict.KNOWN),
        ("node1", "node1", 2222, Verdict.KNOWN),
        ("node.1", "nodex1", 22, Verdict.UNKNOWN),
        ("2001:db8::1", "2001:db8::1", 22, Verdict.KNOWN),
        ("[2001:db8::1]:2222", "2001:db8::1", 2222, Verdict.KNOWN),
        ("!node1,*", "node1", 22, Verdict.UNKNOWN),
        ("*", "anything", 2222, Verdict.KNOWN),
    ],
)
def test_patterns_and_ports(load: Load, hosts: str, host: str, port: int, verdict: Verdict) -> None:
    assert load(line(hosts)).check(known_names(host, port), TYPE, KEY) is verdict


@pytest.mark.needs("sshd")
@pytest.mark.parametrize(("name", "host", "port"), [("node1", "node1", 22), ("[node1]:2222", "NODE1", 2222)])
def test_hashed_names(tmp_path: Path, name: str, host: str, port: int) -> None:
    path = tmp_path / "hashed"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True)
    key_type, encoded = (tmp_path / "key.pub").read_text().split()[:2]
    path.write_text(f"{name} {key_type} {encoded}\n")
    keygen = shutil.which("ssh-keygen") or "ssh-keygen"
    subprocess.run([keygen, "-q", "-H", "-f", str(path)], check=True, capture_output=True)
    assert "node1" not in path.read_text()

    known = KnownHosts.load([path])

    assert known.check(known_names(host, port), key_type, base64.b64decode(encoded)) is Verdict.KNOWN
    assert known.check(known_names("node2", port), key_type, base64.b64decode(encoded)) is Verdict.UNKNOWN


def test_another_key_of_the_same_type_has_changed(load: Load) -> None:
    known = load("# comment", line("node1", OTHER))

    assert known.check(known_names("node1", 22), TYPE, KEY) is Verdict.CHANGED
    assert known.find_sources(known_names("node1", 22), TYPE)[0].endswith("known_hosts:2")


def test_one_of_several_keys_is_enough(load: Load) -> None:
    assert load(line("node1", OTHER), line("node1")).check(known_names("node1", 22), TYPE, KEY) is Verdict.KNOWN


def test_a_key_of_another_type_is_unknown(load: Load) -> None:
    known = load(line("node1", OTHER, "ssh-rsa"))

    assert known.check(known_names("node1", 22), TYPE, KEY) is Verdict.UNKNOWN
    assert known.find_key_types(known_names("node1", 22)) == ("ssh-rsa",)


def test_the_bare_host_does_not_contradict_another_port(load: Load) -> None:
    assert load(line("node1", OTHER)).check(known_names("node1", 2222), TYPE, KEY) is Verdict.UNKNOWN


@pytest.mark.parametrize("hosts", ["*", "node1", "[node1]:2222"])
def test_a_revoked_key_is_worse_than_a_known_one(load: Load, hosts: str) -> None:
    known = load(line("[node1]:2222"), "@revoked " + line(hosts))

    assert known.check(known_names("node1", 2222), TYPE, KEY) is Verdict.REVOKED


def test_a_tab_may_follow_a_marker(load: Load) -> None:
    known = load("@revoked\t" + line("*"), line("node1"))

    assert known.check(known_names("node1", 22), TYPE, KEY) is Verdict.REVOKED


def test_an_alias_replaces_host_and_port(load: Load) -> None:
    known = load(line("cluster"))

    assert known.check(known_names("10.0.0.1", 2222, "Cluster"), TYPE, KEY) is Verdict.KNOWN
    assert known.check(known_names("10.0.0.1", 2222), TYPE, KEY) is Verdict.UNKNOWN


def test_a_key_revoked_for_another_host_is_not_revoked(load: Load) -> None:
    assert load(line("node1"), "@revoked " + line("node2")).check(known_names("node1", 22), TYPE, KEY) is Verdict.KNOWN


def test_an_authority_is_ignored(load: Load) -> None:
    known = load("@cert-authority " + line("*"), line("node1"))

    assert known.check(known_names("node1", 22), TYPE, KEY) is Verdict.KNOWN
    assert known.check(known_names("node2", 22), TYPE, KEY) is Verdict.UNKNOWN
    assert known.has_authority(known_names("node2", 22))


@pytest.mark.parametrize("broken", ["", "node1", "node1 ssh-ed25519", "node1 ssh-ed25519 !!!", "@new " + line("node1")])
def test_an_invalid_line_is_skipped(load: Load, broken: str) -> None:
    known = load(broken, line("node2"))

    assert known.check(known_names("node1", 22), TYPE, KEY) is Verdict.UNKNOWN
    assert known.check(known_names("node2", 22), TYPE, KEY) is Verdict.KNOWN


@pytest.mark.needs("sshd")
def test_fingerprints_are_those_of_openssh(tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True)
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-f", str(tmp_path / "key.pub")], check=True, capture_output=True, text=True
    ).stdout

    assert fingerprint(base64.b64decode((tmp_path / "key.pub").read_text().split()[1])) == shown.split()[1]


def test_a_damaged_hash_is_skipped(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"|1|abc|def ssh-ed25519 AAAA\nharbor.lan ssh-ed25519 {base64.b64encode(b'key').decode()}\n")
    known = KnownHosts.load([file])
    assert known.check(("harbor.lan",), "ssh-ed25519", b"key") is Verdict.KNOWN
    assert known.check(("other.lan",), "ssh-ed25519", b"key") is Verdict.UNKNOWN
