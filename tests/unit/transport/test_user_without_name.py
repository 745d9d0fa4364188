"""In a container, the user may have a number without a name."""

from __future__ import annotations

import os
import shutil
from threading import Event
from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.inventory import Node
from harbor_agent.model.program import Program
from harbor_agent.transport.local import run_locally
from harbor_agent.transport.protocol import Completed, Job
from harbor_agent.transport.ssh.config.host import Destination, build_host_config
from harbor_agent.transport.ssh.config.openssh import SshConfiguration

if TYPE_CHECKING:
    from pathlib import Path

NUMBER = 987_654_321


@pytest.fixture(autouse=True)
def nameless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: NUMBER)
    monkeypatch.setattr(os, "geteuid", lambda: NUMBER)


def test_ssh_logs_in_with_the_number() -> None:
    found = {"userknownhostsfile": ("/srv/known_hosts",), "certificatefile": ("/srv/%u-cert.pub",)}
    settings = build_host_config(Destination(name="node1"), found)
    assert settings.user == str(NUMBER)
    assert [str(file) for file in settings.known_hosts or ()] == ["/srv/known_hosts"]
    assert [str(file) for file in settings.certificate_files] == [f"/srv/{NUMBER}-cert.pub"]


@pytest.mark.skipif(shutil.which("ssh") is None, reason="needs ssh: apt-get install openssh-client")
def test_ssh_still_reads_its_configuration(tmp_path: Path) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/config").write_text("Host node1\n  Port 2222\n")
    assert SshConfiguration().resolve(Destination(name="node1")).host == "node1"


def test_programs_still_run_on_this_machine() -> None:
    node = Node(name="localhost", address="localhost", connection="local")
    done = run_locally(Job(node=node, program=Program(stdin=b"echo done\n", privileged=False), timeout=30), Event())
    assert isinstance(done, Completed)
    assert (done.rc, done.stdout) == (0, b"done\n")
