"""The CA in the system's trust store: only on request, in the layout of the node, and what does not read it at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.address import Address
from harbor_agent.model.plan import Action, Plan
from harbor_agent.model.policy import DesiredState, RegistryCertificates
from harbor_agent.model.state import FileKind
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

if TYPE_CHECKING:
    from harbor_agent.model.state import NodeState

ENTRY = "harbor.lan:8443"
SECURE = Address.parse(f"https://{ENTRY}")
FIRST, SECOND = (f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n" for body in ("b25l", "dHdv"))
DEBIAN = "/usr/local/share/ca-certificates/harbor-agent-harbor.lan_8443"
REDHAT = "/etc/pki/ca-trust/source/anchors/harbor-agent-harbor.lan_8443"


def node(*stores: str, version: str = "26.1.5", files: dict[str, str] | None = None) -> NodeState:
    state = offline(files_of({FRAGMENT: DEBIAN_UNIT, **(files or {})}))
    state = with_docker(state, version=version)
    return replace(state, offline=False, system=replace(state.system, trust_stores=stores))


def wanted(*authorities: str) -> DesiredState:
    certificates = RegistryCertificates(authorities="".join(authorities).encode())
    return DesiredState(secure=(SECURE,), certificates={ENTRY: certificates}, system_trust=(ENTRY,))


@pytest.mark.parametrize(("store", "path"), [("debian", DEBIAN), ("redhat", REDHAT)])
def test_each_certificate_is_a_file_in_the_layout_of_the_node(store: str, path: str) -> None:
    decision = plan(node(store), wanted(FIRST, SECOND))
    assert isinstance(decision, Plan)
    assert after(decision, f"{path}.crt") == FIRST
    assert after(decision, f"{path}+2.crt") == SECOND
    assert {change.after.mode for change in decision.changes} == {0o644}
    assert decision.activation.action is Action.NONE


def test_the_plan_says_that_the_daemon_reads_the_store_when_it_starts() -> None:
    decision = plan(node("debian"), wanted(FIRST))
    (warning,) = [one for one in decision.warnings if one.code == "trust-store-not-read"]
    assert "dockerd" in warning.message
    assert "restart dockerd" in warning.hint
    image = replace(node("debian"), offline=True)
    (warning,) = [one for one in plan(image, wanted(FIRST)).warnings if one.code == "trust-store-not-read"]
    assert "in the image" in warning.hint


def test_a_store_that_is_right_needs_no_change() -> None:
    files = {f"{DEBIAN}.crt": FIRST, f"/etc/docker/certs.d/{ENTRY}/harbor-agent.crt": FIRST}
    assert plan(node("debian", files=files), wanted(FIRST)).is_empty


@pytest.mark.parametrize(
    "desired",
    [
        replace(wanted(FIRST), system_trust=()),
        DesiredState(secure=(SECURE,)),
        DesiredState(absent=(SECURE,)),
    ],
    ids=["not-requested", "no-ca", "absent"],
)
def test_only_our_files_of_this_registry_are_deleted(desired: DesiredState) -> None:
    others = ("/usr/local/share/ca-certificates/theirs.crt", DEBIAN.replace("8443", "84") + ".crt")
    files = dict.fromkeys((f"{DEBIAN}.crt", f"{DEBIAN}+2.crt", *others), FIRST)
    decision = plan(node("debian", files=files), desired)
    deleted = {change.path for change in decision.changes if change.after.kind is FileKind.ABSENT}
    assert deleted == {f"{DEBIAN}.crt", f"{DEBIAN}+2.crt"}
    assert "trust-store-not-read" in codes(decision)


@pytest.mark.parametrize("stores", [(), ("debian", "redhat")])
def test_a_store_that_is_not_known_is_refused(stores: tuple[str, ...]) -> None:
    assert refusal(node(*stores), wanted(FIRST)).problem.code == "trust-store-unknown"
    assert isinstance(plan(node(*stores), replace(wanted(FIRST), system_trust=())), Plan)


@pytest.mark.parametrize(
    ("version", "config", "is_warned"),
    [
        ("26.1.5", None, True),
        ("20.10.24", None, False),
        ("20.10.24", '{"features": {"buildkit": true}}', True),
        ("26.1.5", '{"features": {"buildkit": false}}', False),
    ],
)
def test_builds_do_not_see_a_changed_ca_where_they_use_buildkit(
    version: str, config: str | None, *, is_warned: bool
) -> None:
    files = {DAEMON_JSON: config} if config else {}
    path = f"/etc/docker/certs.d/{ENTRY}/harbor-agent.crt"
    state = node("debian", version=version, files={**files, path: "old"})
    decision = plan(state, replace(wanted(FIRST), system_trust=()))
    assert ("certificate-not-in-builds" in codes(decision)) is is_warned
    state = replace(state, files={**state.files, path: regular(path, FIRST)})
    assert "certificate-not-in-builds" not in codes(plan(state, replace(wanted(FIRST), system_trust=())))
