"""The CA of an HTTPS registry: a file of our own beside those of others, before an entry is removed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harbor_agent.model.address import Address
from harbor_agent.model.plan import Action, Route
from harbor_agent.model.policy import DesiredState, RegistryCertificates
from harbor_agent.model.state import FileKind
from harbor_agent.planning.files.diff import render_diff
from tests.unit.planning.docker.nodes import (
    DAEMON_JSON,
    DEBIAN_UNIT,
    FRAGMENT,
    files_of,
    offline,
    regular,
    with_docker,
)
from tests.unit.planning.docker.plans import after, codes, plan, refusal

ENTRY = "harbor.lan:8443"
FOLDER = f"/etc/docker/certs.d/{ENTRY}"
OURS = f"{FOLDER}/harbor-agent.crt"
PEM = b"-----BEGIN CERTIFICATE-----\nbmV3\n-----END CERTIFICATE-----\n"
KEY = b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0LWNhbmFyeQ==\n-----END PRIVATE KEY-----\n"
CA = RegistryCertificates(authorities=PEM)
SECURE, PLAIN = Address.parse(f"https://{ENTRY}"), Address.parse(ENTRY)
NODE = offline(files_of({FRAGMENT: DEBIAN_UNIT}))
TRUSTING = offline(files_of({FRAGMENT: DEBIAN_UNIT, DAEMON_JSON: f'{{"insecure-registries": ["{ENTRY}"]}}\n'}))
WANTED = DesiredState(secure=(SECURE,), certificates={ENTRY: CA})
MOVED = replace(WANTED, absent=(PLAIN,))


def test_the_ca_is_written_and_nothing_is_restarted() -> None:
    decision = plan(NODE, WANTED)
    assert after(decision, OURS) == PEM.decode()
    assert (decision.activation.action, decision.route) == (Action.NONE, Route.CERTIFICATES)
    assert decision.changes[0].after.mode == 0o644
    assert decision.created_files == (OURS,)
    assert ENTRY in decision.reason


def test_a_ca_that_is_there_needs_no_change() -> None:
    node = replace(NODE, files={**NODE.files, OURS: regular(OURS, PEM)})
    assert plan(node, WANTED).is_empty


def test_a_renewed_ca_replaces_the_old_one() -> None:
    node = replace(NODE, files={**NODE.files, OURS: regular(OURS, b"old")})
    decision = plan(node, WANTED)
    assert [change.path for change in decision.changes] == [OURS]
    assert decision.activation.action is Action.NONE


@pytest.mark.parametrize(
    "wanted", [DesiredState(secure=(SECURE,)), DesiredState(absent=(SECURE,)), DesiredState(absent=(PLAIN,))]
)
def test_the_ca_is_deleted_if_the_registry_has_none_or_is_removed(wanted: DesiredState) -> None:
    theirs = f"{FOLDER}/ca.crt"
    node = replace(NODE, files={**NODE.files, OURS: regular(OURS, PEM), theirs: regular(theirs, b"theirs")})
    decision = plan(node, wanted)
    assert [(change.path, change.after.kind) for change in decision.changes] == [(OURS, FileKind.ABSENT)]
    assert decision.activation.action is Action.NONE


def test_a_client_certificate_and_its_key_which_is_never_shown() -> None:
    pair = RegistryCertificates(client=PEM, key=KEY)
    decision = plan(NODE, DesiredState(secure=(SECURE,), certificates={ENTRY: pair}))
    modes = {change.path: change.after.mode for change in decision.changes}
    assert modes == {f"{FOLDER}/harbor-agent.key": 0o600, f"{FOLDER}/harbor-agent.cert": 0o644}
    assert after(decision, f"{FOLDER}/harbor-agent.key") == KEY.decode()
    assert not any("c2VjcmV0" in render_diff(change) for change in decision.changes)

    files = {change.path: change.after for change in decision.changes}
    there = replace(NODE, files={**NODE.files, **files})
    assert plan(there, DesiredState(secure=(SECURE,), certificates={ENTRY: pair})).is_empty
    gone = plan(there, WANTED)
    assert {change.path for change in gone.changes if change.after.kind is FileKind.ABSENT} == files.keys()


def test_the_ca_comes_before_the_entry_is_removed() -> None:
    decision = plan(TRUSTING, MOVED)
    assert [change.path for change in decision.changes] == [OURS, DAEMON_JSON]
    assert decision.activation.unexpected == (ENTRY,)
    assert decision.activation.action is not Action.NONE


def test_back_to_plain_http_the_ca_goes_after_the_entry_is_there() -> None:
    node = replace(NODE, files={**NODE.files, OURS: regular(OURS, PEM)})
    decision = plan(node, DesiredState(present=(PLAIN,)))
    assert decision.changes[-1].path == OURS
    assert len(decision.changes) == 2


def test_an_entry_that_hides_the_certificate_is_a_warning() -> None:
    assert "certificate-unverified" in codes(plan(TRUSTING, WANTED))
    assert "certificate-unverified" not in codes(plan(TRUSTING, MOVED))
    assert "certificate-unverified" not in codes(plan(NODE, WANTED))


@pytest.mark.parametrize(
    "files",
    [
        {f"{FOLDER}/ca.cert": "file"},
        {f"{FOLDER}/client.key": "file"},
        {f"{FOLDER}/ca.crt": "directory"},
        {f"{FOLDER}/ca.crt": "missing"},
    ],
)
def test_an_entry_stays_while_the_folder_of_certificates_is_broken(files: dict[str, str]) -> None:
    refused = refusal(with_docker(TRUSTING, certificate_files=files), MOVED)
    assert refused.problem.code == "certificate-folder-broken"
    assert next(iter(files)) in refused.problem.message
    assert "certificate-folder-broken" in codes(plan(with_docker(NODE, certificate_files=files), WANTED))


def test_a_complete_folder_and_that_of_another_registry_are_fine() -> None:
    pair = {f"{FOLDER}/client.cert": "file", f"{FOLDER}/client.key": "file", f"{FOLDER}/ca.crt": "file"}
    files = {**pair, "/etc/docker/certs.d/other.lan/ca.cert": "file"}
    assert codes(plan(with_docker(TRUSTING, certificate_files=files), MOVED)) == []
