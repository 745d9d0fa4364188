"""The configuration of a connection is that of the operator's own ssh."""

from __future__ import annotations

import getpass
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harbor_agent.transport.ssh.config.arguments import parse_ssh_arguments
from harbor_agent.transport.ssh.config.host import Destination
from harbor_agent.transport.ssh.config.openssh import ConfigError, SshConfiguration

if TYPE_CHECKING:
    from harbor_agent.transport.ssh.config.host import HostConfig

needs_client = pytest.mark.skipif(shutil.which("ssh") is None, reason="needs ssh: apt-get install openssh-client")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with an ssh folder, and no agent."""
    (tmp_path / ".ssh").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return tmp_path


@pytest.fixture(params=[pytest.param("ssh", marks=needs_client), "without"])
def client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With and without an ssh client: the meaning of arguments must not depend on it."""
    if request.param == "without":
        monkeypatch.setenv("PATH", "/nowhere")
    return request.param


def resolve(arguments: str = "", *, name: str = "node1", complete: bool = False, **own: object) -> HostConfig:
    destination = Destination(name=name, arguments=parse_ssh_arguments(arguments), **own)
    return SshConfiguration().resolve(destination, complete=complete)


class TestArguments:
    @pytest.mark.parametrize(
        ("arguments", "changes"),
        [
            ("", {}),
            ("-C -q -vvv -T -o ControlMaster=auto -o ControlPersist=60s -E /dev/null -L 1:a:2", {}),
            ("-o ProxyJump=a,b", {"proxy_jump": "a,b"}),
            ("-J u@a:2222", {"proxy_jump": "u@a:2222"}),
            ("-AJa", {"proxy_jump": "a"}),
            ("-o ProxyJump=none -J b", {}),
            ("-o 'ProxyCommand=ssh -W %h:%p b'", {"proxy_command": "ssh -W %h:%p b"}),
            ("""-o ProxyCommand='sh -c "a b"'""", {"proxy_command": 'sh -c "a b"'}),
            ("-o ProxyCommand=none", {}),
            ("-p 2200", {"port": 2200}),
            ("-p2200 -p 1", {"port": 2200}),
            ("-oPort=2200", {"port": 2200}),
            ("-o 'Port 2200'", {"port": 2200}),
            ("-o 'port = 2200'", {"port": 2200}),
            ("-l deploy", {"user": "deploy"}),
            ("-o HostName=10.0.0.9", {"host": "10.0.0.9"}),
            ("-o HostName=%h.example.com", {"host": "node1.example.com"}),
            ("-o HostName=fe80::1%%hme0", {"host": "fe80::1%hme0"}),
            ("-o HostKeyAlias=cluster", {"known_as": "cluster"}),
            ("-o UserKnownHostsFile=/a", {"known_hosts": (Path("/a"),)}),
            ("-o 'userknownhostsfile /a /b'", {"known_hosts": (Path("/a"), Path("/b"))}),
            ("-o UserKnownHostsFile=/dev/null", {"known_hosts": (Path("/dev/null"),)}),
            ("-o StrictHostKeyChecking=no", {}),
            ("-i /k -i /l", {"identity_files": (Path("/k"), Path("/l"))}),
            ("""-o 'IdentityFile="/a b/k"'""", {"identity_files": (Path("/a b/k"),)}),
            ("-o IdentitiesOnly=yes", {"identities_only": True}),
            ("-o ConnectTimeout=3 -o ServerAliveInterval=7", {"connect_timeout": 3.0, "keepalive": 7}),
            ("-o ConnectTimeout=1m30 -o ServerAliveInterval=2M", {"connect_timeout": 90.0, "keepalive": 120}),
            ("-4", {"ip_version": 4}),
            ("-6", {"ip_version": 6}),
        ],
    )
    @pytest.mark.usefixtures("client")
    def test_each_argument_has_its_meaning_in_ssh(self, arguments: str, changes: dict[str, object]) -> None:
        found, plain = resolve(f"{arguments} -F none"), resolve("-F none")

        different = {
            name: getattr(found, name)
            for name in found.__dataclass_fields__
            if getattr(found, name) != getattr(plain, name)
        }
        assert different == changes

    @needs_client
    @pytest.mark.parametrize(
        "arguments", ["-J a,b -p 22 -l x", "-o HostName=%h.%%h", "-o UserKnownHostsFile=/a", "-i /k", "-4", ""]
    )
    def test_ssh_parses_them_the_same(self, arguments: str, home: Path) -> None:
        empty = home / "empty"
        empty.write_text("")

        by_ssh, by_us = resolve(f"{arguments} -F {empty}"), resolve(f"{arguments} -F none")

        for name in ("host", "port", "user", "proxy_jump", "known_hosts", "identities_only", "ip_version", "agent"):
            assert getattr(by_ssh, name) == getattr(by_us, name), name

    @pytest.mark.parametrize("arguments", ["-o", "'", "-J", "-F"])
    def test_an_incomplete_argument_is_an_error(self, arguments: str) -> None:
        with pytest.raises(ValueError, match=r"quotation|has no value"):
            parse_ssh_arguments(arguments)

    def test_an_invalid_value_is_an_error(self) -> None:
        with pytest.raises(ConfigError, match="node1"):
            resolve("-o Port=ssh -F none")


@needs_client
class TestConfiguration:
    def test_the_inventory_overrides_the_file(self, home: Path) -> None:
        (home / ".ssh/config").write_text("Host node1\n  User other\n  Port 2222\n  HostName 10.0.0.1\n")

        settings = resolve(user="ops", port=22, private_key_file="~/key")

        assert (settings.user, settings.port, settings.host) == ("ops", 22, "10.0.0.1")
        assert (settings.private_key_file, settings.identity_files) == (home / "key", ())

    def test_arguments_override_the_file(self, home: Path) -> None:
        (home / ".ssh/config").write_text("Host *\n  ProxyJump file\n  Port 2222\n")

        settings = resolve("-o ProxyJump=argument")

        assert (settings.proxy_jump, settings.port) == ("argument", 2222)

    def test_include_and_match(self, home: Path) -> None:
        (home / ".ssh/conf.d").mkdir()
        (home / ".ssh/conf.d/one.conf").write_text(
            f'Match originalhost node1 exec "test -d {home}"\n  HostKeyAlias matched\nMatch user nobody\n  Port 1\n'
        )
        (home / ".ssh/config").write_text(f"Include {home}/.ssh/conf.d/*.conf\n")

        settings = resolve()

        assert (settings.known_as, settings.port) == ("matched", 22)

    def test_tokens_in_paths_are_expanded(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SITE", "berlin")
        (home / ".ssh/config").write_text(
            "Host node1\n  IdentityFile ~/.ssh/%r@%h\n  IdentityFile ~/.ssh/${SITE}\n"
            "  CertificateFile ~/.ssh/%n-cert.pub\n  UserKnownHostsFile ~/.ssh/known_%k\n"
            "  IdentityAgent /run/agent\n  User ops\n  HostName 10.0.0.1\n"
        )

        settings = resolve()

        assert settings.identity_files == (home / ".ssh/ops@10.0.0.1", home / ".ssh/berlin")
        assert settings.certificate_files == (home / ".ssh/node1-cert.pub",)
        assert settings.agent == "/run/agent"
        assert settings.known_hosts
        assert settings.known_hosts[0].name == "known_node1"

    def test_defaults_of_ssh_are_not_taken_for_configuration(self, home: Path) -> None:
        (home / ".ssh/config").write_text("Host *\n  ConnectTimeout 5\n")

        settings = resolve()

        assert settings.connect_timeout == 5
        assert settings.known_hosts is None
        assert [file.parent for file in settings.identity_files] == [home / ".ssh"] * 3
        assert settings.user == getpass.getuser()

    def test_an_error_in_the_file_is_quoted_with_its_line(self, home: Path) -> None:
        (home / ".ssh/config").write_text("Host *\n  Prot 22\n  Port 22\n")

        with pytest.raises(ConfigError, match=r"config: line 2: Bad configuration option: prot"):
            resolve()

    def test_ssh_is_not_started_for_a_file_that_does_not_affect_connections(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (home / "bin").mkdir()
        (home / "bin/ssh").write_text(f"#!/bin/sh\necho called >>{home}/calls\nexit 1\n")
        (home / "bin/ssh").chmod(0o755)
        monkeypatch.setenv("PATH", f"{home}/bin", prepend=":")
        (home / ".ssh/config").write_text("Host *\n  SendEnv LANG\n  HashKnownHosts yes\n  ControlMaster auto\n")

        resolve()

        assert not (home / "calls").exists()

    def test_without_a_client_a_file_that_affects_connections_is_an_error(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (home / ".ssh/config").write_text("Host node1\n  ProxyJump bastion\n")
        monkeypatch.setenv("PATH", "/nowhere")

        with pytest.raises(ConfigError, match="no ssh client") as caught:
            resolve()

        assert "-F none" in caught.value.problem.hint
        assert resolve("-F none").proxy_jump is None
