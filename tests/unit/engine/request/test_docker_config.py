"""Logins are found in Docker's config.json as docker finds them."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.request import docker_config
from harbor_agent.engine.request.credentials import read_login
from harbor_agent.errors import UsageError
from harbor_agent.model.address import Address
from harbor_agent.model.policy import CredentialsSource

if TYPE_CHECKING:
    from pathlib import Path

    from harbor_agent.model.policy import Credentials

AUTH = {"auth": base64.b64encode(b"u:canary").decode()}


def read(folder: Path, document: object, address: str = "harbor.lan:8080", *, prefix: bytes = b"") -> Credentials:
    (folder / "config.json").write_bytes(prefix + json.dumps(document).encode())
    return read_login(CredentialsSource(docker_config=str(folder)), Address.parse(address))


def refuse(folder: Path, document: object, address: str = "harbor.lan:8080") -> str:
    with pytest.raises(UsageError) as caught:
        read(folder, document, address)
    assert caught.value.problem.code == "credentials-missing"
    assert "canary" not in str(caught.value.problem)
    return caught.value.problem.message


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a credential helper `test` into PATH that runs the shell script in the file that is returned."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "docker-credential-test"
    program.write_text(f'#!/bin/sh\necho "$@" >>{folder}/arguments\nserver=$(cat)\n. {folder}/script\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return folder / "script"


GIVE = """[ "$server" = {server} ] || {{ echo credentials not found in native keychain; exit 1; }}
echo '{{"ServerURL":"x","Username":"u","Secret":"canary"}}'
"""


@pytest.mark.parametrize("scheme", ["", "http://", "https://"])
@pytest.mark.parametrize("path", ["", "/", "/v1/", "/v2/", "/v1", "/library"])
def test_every_form_of_a_key(tmp_path: Path, scheme: str, path: str) -> None:
    login = read(tmp_path, {"auths": {"other.lan": {}, f"{scheme}harbor.lan:8080{path}": AUTH}})
    assert (login.username, login.password.reveal()) == ("u", "canary")


@pytest.mark.parametrize("key", ["harbor.lan", "harbor.lan:80800", "xharbor.lan:8080", "HARBOR.lan:8080"])
def test_another_host_is_another_registry(tmp_path: Path, key: str) -> None:
    assert "no login for harbor.lan:8080 in" in refuse(tmp_path, {"auths": {key: AUTH}})


@pytest.mark.parametrize(
    "key",
    [
        "https://index.docker.io/v1/",
        "index.docker.io",
        "docker.io",
        "https://registry-1.docker.io/v2/",
        "index.docker.io/v1/",
    ],
)
def test_docker_hub(tmp_path: Path, key: str) -> None:
    assert read(tmp_path, {"auths": {key: AUTH}}, "docker.io").username == "u"


def test_the_key_that_docker_writes_comes_first(tmp_path: Path) -> None:
    old = {"auth": base64.b64encode(b"old:canary").decode()}
    assert read(tmp_path, {"auths": {"http://harbor.lan:8080": old, "harbor.lan:8080": AUTH}}).username == "u"


def test_the_file_of_old_dockers_a_byte_order_mark_and_padding(tmp_path: Path) -> None:
    padded = {"auth": base64.b64encode(b"u:canary\0\0").decode(), "email": "a@b"}
    login = read(tmp_path, {"https://harbor.lan:8080/v1/": padded}, prefix=b"\xef\xbb\xbf")
    assert (login.username, login.password.reveal(), login.email) == ("u", "canary", "a@b")


def test_an_identity_token_is_no_password(tmp_path: Path) -> None:
    assert "identity token" in refuse(tmp_path, {"auths": {"harbor.lan:8080": {**AUTH, "identitytoken": "canary"}}})


@pytest.mark.parametrize("server", ["harbor.lan:8080", "http://harbor.lan:8080", "https://harbor.lan:8080/v2/"])
def test_a_store_is_asked_by_standard_input(tmp_path: Path, helper: Path, server: str) -> None:
    helper.write_text(GIVE.format(server=server))
    document = {"auths": {"https://harbor.lan:8080/v2/": {}}, "credsStore": "test"}
    login = read(tmp_path, document)
    assert (login.username, login.password.reveal()) == ("u", "canary")
    assert set((helper.parent / "arguments").read_text().splitlines()) == {"get"}


def test_the_helper_of_the_registry_comes_before_the_store(tmp_path: Path, helper: Path) -> None:
    helper.write_text(GIVE.format(server="harbor.lan:8080"))
    document = {"auths": {}, "credHelpers": {"harbor.lan:8080": "test"}, "credsStore": "missing"}
    assert read(tmp_path, document).source == "docker-credential-test"


def test_docker_hub_in_a_store(tmp_path: Path, helper: Path) -> None:
    helper.write_text(GIVE.format(server="https://index.docker.io/v1/"))
    assert read(tmp_path, {"credsStore": "test"}, "docker.io").username == "u"


def test_a_login_in_the_file_is_used_if_the_store_is_missing_or_has_none(tmp_path: Path, helper: Path) -> None:
    helper.write_text(GIVE.format(server="other"))
    for store in ("missing", "test"):
        assert read(tmp_path, {"auths": {"harbor.lan:8080": AUTH}, "credsStore": store}).username == "u"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo credentials not found in native keychain; exit 1", "docker-credential-test"),
        ("printf 'no\\033[31m keyring'; exit 1", "failed: no keyring"),
        ("exit 3", "failed: exit code 3"),
        ("echo nonsense canary", "printed no login"),
        ("echo '[]'", "printed no login"),
        ('echo \'{"Username":"<token>","Secret":"canary"}\'', "identity token"),
    ],
)
def test_a_store_without_a_password(tmp_path: Path, helper: Path, script: str, words: str) -> None:
    helper.write_text(script)
    assert words in refuse(tmp_path, {"auths": {"harbor.lan:8080": {}}, "credsStore": "test"})


@pytest.mark.parametrize("name", ["missing", "../test", "", "a b"])
def test_a_helper_that_is_not_a_program_is_named(tmp_path: Path, name: str) -> None:
    message = refuse(tmp_path, {"auths": {"harbor.lan:8080": {}}, "credHelpers": {"harbor.lan:8080": name}})
    assert "is not in PATH" in message if name else "no user" in message


def test_a_helper_that_hangs_is_killed_with_its_children(
    tmp_path: Path, helper: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker_config, "_HELPER_SECONDS", 0.5)
    helper.write_text("sleep 60 & sleep 60; echo late")
    start = time.monotonic()
    assert "did not answer within 0.5 s" in refuse(tmp_path, {"credsStore": "test"})
    assert time.monotonic() - start < 10
