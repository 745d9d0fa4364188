"""Logins are read from the named source, and never printed."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.request.credentials import build_credential_name, parse_password, read_login
from harbor_agent.errors import UsageError
from harbor_agent.model.address import Address
from harbor_agent.model.policy import CredentialsSource

if TYPE_CHECKING:
    from pathlib import Path

HARBOR = Address.parse("192.168.0.99")


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PW", "s3cret")
    login = read_login(CredentialsSource(username="robot$p+n", password_env="PW"), HARBOR)
    assert (login.username, login.password.reveal()) == ("robot$p+n", "s3cret")
    assert "s3cret" not in repr(login)


def test_one_trailing_newline_of_a_file_is_not_part_of_the_password(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text(" p\n\n")
    login = read_login(CredentialsSource(username="u", password_file=str(tmp_path / "pw")), HARBOR)
    assert login.password.reveal() == " p\n"


@pytest.mark.parametrize("key", ["192.168.0.99", "http://192.168.0.99", "http://192.168.0.99/"])
def test_from_the_configuration_of_docker(tmp_path: Path, key: str) -> None:
    auth = base64.b64encode(b"u:p:with:colons").decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {key: {"auth": auth}}}))
    login = read_login(CredentialsSource(docker_config=str(tmp_path)), HARBOR)
    assert (login.username, login.password.reveal()) == ("u", "p:with:colons")


@pytest.mark.parametrize(
    ("source", "named"),
    [
        (CredentialsSource(username="u", password_env="NOT_SET_ANYWHERE"), r"\$NOT_SET_ANYWHERE"),
        (CredentialsSource(username="u", password_file="/nowhere"), "/nowhere"),
        (CredentialsSource(docker_config="/nowhere"), "/nowhere"),
    ],
)
def test_a_missing_source_is_named(source: CredentialsSource, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        read_login(source, HARBOR)


@pytest.mark.parametrize(
    "content",
    ["[]", "{", '{"auths": []}', '{"auths": {"192.168.0.99": {"auth": "?"}}}', '{"auths":{"192.168.0.99":{}}}'],
)
def test_a_docker_configuration_without_the_login_is_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(UsageError, match=r"config\.json"):
        read_login(CredentialsSource(docker_config=str(tmp_path)), HARBOR)


def test_a_copy_passed_by_systemd_replaces_an_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handed_over = tmp_path / "credentials"
    handed_over.mkdir()
    closed, folder = tmp_path / "closed", tmp_path / "docker"
    (handed_over / build_credential_name(closed)).write_text("s3cret\n")
    auth = base64.b64encode(b"u:from docker").decode()
    (handed_over / build_credential_name(folder)).write_text(json.dumps({"auths": {"192.168.0.99": {"auth": auth}}}))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(handed_over))
    login = read_login(CredentialsSource(username="u", password_file=str(closed)), HARBOR)
    assert login.password.reveal() == "s3cret"
    login = read_login(CredentialsSource(docker_config=str(folder)), HARBOR)
    assert login.password.reveal() == "from docker"
    (tmp_path / "open").write_text("own")
    login = read_login(CredentialsSource(username="u", password_file=str(tmp_path / "open")), HARBOR)
    assert login.password.reveal() == "own"


@pytest.mark.field("c16")
def test_a_byte_order_mark_is_removed_with_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pw").write_bytes(b"\xef\xbb\xbfcanary\r\n")
    monkeypatch.setenv("PW", "\ufeffcanary")
    standard_input = parse_password("\ufeffcanary\r\n", "standard input")
    for source, place in (
        (CredentialsSource(username="u", password_file=str(tmp_path / "pw")), str(tmp_path / "pw")),
        (CredentialsSource(username="u", password_env="PW"), "$PW"),
        (CredentialsSource(username="u", password=standard_input), "standard input"),
    ):
        login = read_login(source, HARBOR)
        assert login.password.reveal() == "canary"
        (note,) = login.notes
        assert (note.code, place in note.message) == ("password-byte-order-mark", True)
        assert "canary" not in str(note)


def test_a_file_with_only_a_byte_order_mark_has_no_password(tmp_path: Path) -> None:
    (tmp_path / "pw").write_bytes(b"\xef\xbb\xbf\r\n")
    with pytest.raises(UsageError, match="no password in"):
        read_login(CredentialsSource(username="u", password_file=str(tmp_path / "pw")), HARBOR)
