"""The CA of an HTTPS registry, in the folder that CRI-O and podman read at each pull."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harbor_agent.model.address import Address
from harbor_agent.model.policy import DesiredState, RegistryCertificates
from tests.unit.planning.containers_image.nodes import OURS, OWN, applied, crio_node, node, shown
from tests.unit.planning.decisions import planned

ENTRY = "harbor.lan:5443"
CA = b"-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"
OWN_FOLDER, DOCKER_FOLDER = f"/etc/containers/certs.d/{ENTRY}", f"/etc/docker/certs.d/{ENTRY}"


def secure(*, ca: bytes = CA, absent: tuple[str, ...] = ()) -> DesiredState:
    registry = Address.parse(f"https://{ENTRY}")
    certificates = {ENTRY: RegistryCertificates(authorities=ca)} if ca else {}
    return DesiredState(secure=(registry,), certificates=certificates, absent=tuple(map(Address.parse, absent)))


@pytest.mark.parametrize("build", [node, crio_node])
def test_ca_needs_no_action_and_goes_with_the_setting(build) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    plan = planned(build({}), secure())
    (change,) = plan.changes
    assert (change.path, change.after.content) == (f"{OWN_FOLDER}/harbor-agent.crt", CA)
    assert (plan.activation.action.value, plan.route.value) == ("none", "certificates")
    after = applied(build({}), plan)
    assert planned(after, secure()).is_empty
    assert shown(applied(after, planned(after, secure(ca=b"")))) == {}


@pytest.mark.parametrize(
    ("there", "folder"),
    [
        ((f"{DOCKER_FOLDER}/ca.crt",), DOCKER_FOLDER),
        ((f"{DOCKER_FOLDER}/ca.crt", f"{OWN_FOLDER}/ca.crt"), OWN_FOLDER),
    ],
)
def test_folder_of_docker_is_not_hidden(there: tuple[str, ...], folder: str) -> None:
    state = node(dict.fromkeys(there, "x") | dict.fromkeys({path.rpartition("/")[0] for path in there}, ""))
    assert [change.path for change in planned(state, secure()).changes] == [f"{folder}/harbor-agent.crt"]


def test_registry_that_moves_to_https_gets_the_ca_first() -> None:
    state = crio_node({OWN: OURS.decode().replace("192.168.0.99", ENTRY), OWN.replace("192.168.0.99", ENTRY): ""})
    plan = planned(state, secure(absent=(ENTRY,)))
    assert [change.path for change in plan.changes] == [f"{OWN_FOLDER}/harbor-agent.crt", OWN]
    assert plan.activation.action.value == "reload"
    assert [one.code for one in planned(state, secure()).warnings] == ["certificate-unverified"]


@pytest.mark.parametrize("build", [node, crio_node])
def test_ca_in_the_trust_store_of_the_system(build) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    state = build({})
    state = replace(state, system=replace(state.system, trust_stores=("debian",)))
    plan = planned(state, replace(secure(), system_trust=(ENTRY,)))
    path = "/usr/local/share/ca-certificates/harbor-agent-harbor.lan_5443.crt"
    written = [f"{OWN_FOLDER}/harbor-agent.crt", path]
    assert [change.path for change in plan.changes] == written
    assert plan.activation.action.value == "none"
    assert [one.code for one in plan.warnings] == ["trust-store-not-read"]
    gone = planned(applied(state, plan), DesiredState(absent=(Address.parse(f"https://{ENTRY}"),)))
    assert {change.path for change in gone.changes if not change.after.exists} == {
        change.path for change in plan.changes
    }
