"""Logins in config.json: added beside those of others, and removed to the byte."""

from __future__ import annotations

import json

import pytest

from harbor_agent.formats.docker.login_file import add_login, find_login, is_empty, remove_login
from harbor_agent.formats.text import FormatError

ENTRY = "harbor.lan:8443"
THEIRS = '{"auths": {"other.lan": {"auth": "dGhlaXJz"}}}\n'


@pytest.mark.parametrize(
    "text",
    [
        THEIRS,
        "{}",
        '{"auths": {}}',
        '{\n\t"auths": {\n\t\t"other.lan": {\n\t\t\t"auth": "dGhlaXJz"\n\t\t}\n\t},\n\t"credsStore": "x"\n}\r\n',
        '{"credsStore": "x", "HttpHeaders": {"User-Agent": "y"}}',
        '{"auths":{"harbor.lan:8443/project":{"auth":"dGhlaXJz"},"harbor.lan":{"auth":"dGhlaXJz"}}}',
        '\ufeff{"auths": {"a": {"auth": "x"}}}',
    ],
)
def test_a_login_is_added_and_removed_to_the_byte(text: str) -> None:
    content = text.encode()
    added = add_login(content, ENTRY, "b3Vycw==")
    auths = json.loads(added.decode("utf-8-sig"))["auths"]
    assert auths[ENTRY] == {"auth": "b3Vycw==", "email": "harbor-agent"}
    before = json.loads(text.removeprefix("\ufeff")).get("auths", {})
    assert {key: auths[key] for key in before} == before
    assert remove_login(added, ENTRY) == content


def test_a_new_file_is_empty_once_the_login_is_gone() -> None:
    added = add_login(b"", ENTRY, "b3Vycw==")
    found = find_login(added, ENTRY)
    assert found
    assert (found.auth, found.is_ours) == ("b3Vycw==", True)
    assert "b3Vycw" not in repr(found)
    assert is_empty(remove_login(added, ENTRY))


def test_a_new_password_replaces_the_old_one() -> None:
    again = add_login(add_login(THEIRS.encode(), ENTRY, "b2xk"), ENTRY, "bmV3")
    found = find_login(again, ENTRY)
    assert found
    assert found.auth == "bmV3"
    assert remove_login(again, ENTRY) == THEIRS.encode()


@pytest.mark.parametrize("key", [ENTRY, f"https://{ENTRY}", f"http://{ENTRY}/v2/", f"{ENTRY}/v1"])
def test_a_login_of_somebody_else_is_known_by_any_form_of_its_key(key: str) -> None:
    found = find_login(json.dumps({"auths": {key: {"auth": "dGhlaXJz"}}}).encode(), ENTRY)
    assert found
    assert not found.is_ours


@pytest.mark.parametrize("text", ["[]", "no", '{"auths": []}', '{"auths": {'])
def test_a_file_of_another_form_is_an_error(text: str) -> None:
    with pytest.raises(FormatError):
        add_login(text.encode(), ENTRY, "b3Vycw==")
