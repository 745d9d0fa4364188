"""The CA of a registry over HTTPS is a file of our own in the directory that containerd takes for the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harbor_agent.formats.containerd.authorities import AUTHORITIES, CLIENT, KEY
from harbor_agent.model.address import Address
from harbor_agent.model.plan import Action, Route
from harbor_agent.model.policy import DesiredState, RegistryCertificates
from tests.unit.planning.containerd.nodes import (
    CERTS,
    CONFIG,
    HAS_MIRRORS,
    READS_CERTS,
    applied,
    node,
    planned,
    refused,
    running,
    shown,
    want,
)

if TYPE_CHECKING:
    from harbor_agent.model.plan import Plan
    from harbor_agent.model.state import NodeState

NAME = "harbor.lan"
FOLDER = f"{CERTS}/{NAME}"
HOSTS = f"{FOLDER}/hosts.toml"
PEM = b"-----BEGIN CERTIFICATE-----\nQQ==\n-----END CERTIFICATE-----\n"
ALONE = RegistryCertificates(authorities=PEM)
MUTUAL = RegistryCertificates(authorities=PEM, client=b"client", key=b"key")
PLAIN = f'server = "http://{NAME}"\n\n[host."http://{NAME}"]\n  capabilities = ["pull", "resolve"]\n'
READS = running(node({CONFIG: READS_CERTS}))


def secure(certificates: RegistryCertificates | None = ALONE, *, drops_http: bool = False) -> DesiredState:
    address = Address.parse(f"https://{NAME}")
    return DesiredState(
        secure=(address,),
        certificates={NAME: certificates} if certificates else {},
        absent=(Address.parse(NAME),) if drops_http else (),
    )


def texts(plan: Plan) -> dict[str, str]:
    return {change.path: (change.after.content or b"").decode() for change in plan.changes if change.after.exists}


def test_without_a_hosts_toml_the_folder_is_read_as_docker_reads_it() -> None:
    plan = planned(READS, secure(MUTUAL))
    assert texts(plan) == {
        f"{FOLDER}/{AUTHORITIES}": PEM.decode(),
        f"{FOLDER}/{KEY}": "key",
        f"{FOLDER}/{CLIENT}": "client",
    }
    assert [change.after.mode for change in plan.changes] == [0o644, 0o600, 0o644]
    assert (plan.activation.action, plan.route) == (Action.NONE, Route.CERTIFICATES)
    assert plan.activation.expected == ()


@pytest.mark.parametrize("certificates", [ALONE, MUTUAL])
@pytest.mark.parametrize(
    "contents",
    [
        {},
        {HOSTS: f'server = "https://{NAME}"\n\n[host."https://{NAME}"]\n  skip_verify = false\n'},
        {HOSTS: f'server = "https://{NAME}"\n\n[host."https://mirror.lan"]\n  capabilities = ["pull"]\n'},
    ],
)
def test_a_second_time_changes_nothing_and_without_them_the_bytes_are_back(
    contents: dict[str, str], certificates: RegistryCertificates
) -> None:
    state = running(node({CONFIG: READS_CERTS, **contents}))
    after = applied(state, planned(state, secure(certificates)))
    assert planned(after, secure(certificates)).is_empty
    assert shown(applied(after, planned(after, secure(None)))) == shown(state)


def test_a_hosts_toml_names_the_files_in_the_table_of_the_host() -> None:
    text = f'server = "https://{NAME}"\n\n[host."https://{NAME}"]\n  capabilities = ["pull"]\n'
    plan = planned(running(node({CONFIG: READS_CERTS, HOSTS: text})), secure(MUTUAL))
    written = texts(plan)[HOSTS]
    assert f'ca = "{AUTHORITIES}"' in written
    assert f'client = [["{CLIENT}", "{KEY}"]]' in written
    assert 'capabilities = ["pull"]' in written


def test_a_ca_of_somebody_else_is_not_replaced() -> None:
    text = f'[host."https://{NAME}"]\n  ca = "/srv/ca.pem"\n'
    assert refused(running(node({CONFIG: READS_CERTS, HOSTS: text})), secure()).problem.code == "file-invalid"


def test_the_hosts_of_the_default_are_kept() -> None:
    state = running(node({CONFIG: READS_CERTS, f"{CERTS}/_default/hosts.toml": '[host."http://10.0.0.1"]\n'}))
    written = texts(planned(state, secure()))[HOSTS]
    assert written.index('[host."http://10.0.0.1"]') < written.index(f'[host."https://{NAME}"]')
    assert planned(applied(state, planned(state, secure())), secure()).is_empty


def test_without_a_directory_one_is_read_after_a_restart() -> None:
    plan = planned(running(node({})), secure())
    assert [change.path for change in plan.changes] == [f"{FOLDER}/{AUTHORITIES}", CONFIG]
    assert (plan.activation.action, plan.route) == (Action.RESTART, Route.CONTAINERD_CONFIG)


def test_beside_mirrors_they_are_tls_settings_and_the_file_is_as_before_without_them() -> None:
    before = running(node({CONFIG: HAS_MIRRORS}))
    plan = planned(before, secure(MUTUAL))
    assert (plan.activation.action, plan.route) == (Action.RESTART, Route.CONTAINERD_CONFIG)
    # the file that names the others comes last
    assert [change.path for change in plan.changes][-1] == CONFIG
    assert texts(plan)[CONFIG] == (
        HAS_MIRRORS
        + f"""[plugins."io.containerd.grpc.v1.cri".registry.configs."{NAME}".tls]
  ca_file = "{FOLDER}/{AUTHORITIES}"
  cert_file = "{FOLDER}/{CLIENT}"
  key_file = "{FOLDER}/{KEY}"
"""
    )
    mutual = applied(before, plan)
    assert {path: file.mode for path, file in mutual.files.items() if path.endswith(KEY)} == {f"{FOLDER}/{KEY}": 0o600}
    assert planned(mutual, secure(MUTUAL)).is_empty
    alone = applied(mutual, planned(mutual, secure()))
    assert "ca_file" in str(shown(alone)[CONFIG])
    assert "cert_file" not in str(shown(alone)[CONFIG])
    assert shown(applied(alone, planned(alone, secure(None)))) == shown(before)


def test_another_ca_beside_mirrors_is_read_at_the_next_pull() -> None:
    node_with_ca = running(node({CONFIG: HAS_MIRRORS}))
    node_with_ca = applied(node_with_ca, planned(node_with_ca, secure()))
    plan = planned(node_with_ca, secure(RegistryCertificates(authorities=PEM + PEM)))
    assert [change.path for change in plan.changes] == [f"{FOLDER}/{AUTHORITIES}"]
    assert plan.activation.action is Action.NONE


def test_from_a_mirror_over_http_to_https_and_back() -> None:
    before = running(node({CONFIG: HAS_MIRRORS}))
    http = applied(before, planned(before, want(NAME)))
    https = applied(http, planned(http, secure(drops_http=True)))
    assert "http://" not in str(shown(https)[CONFIG])
    assert planned(https, secure(drops_http=True)).is_empty
    back = applied(https, planned(https, want(NAME)))
    assert "ca_file" not in str(shown(back)[CONFIG])
    assert f"http://{NAME}" in str(shown(back)[CONFIG])
    assert f"{FOLDER}/{AUTHORITIES}" not in shown(back)


_THEIRS = f"""    [plugins."io.containerd.grpc.v1.cri".registry.configs."{NAME}".tls]
      insecure_skip_verify = true
"""


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (node({CONFIG: HAS_MIRRORS}, version="2.1.9"), "containerd 2 knows no TLS settings"),
        (node({CONFIG: HAS_MIRRORS + _THEIRS}), "TLS settings of its own for harbor.lan: insecure_skip_verify"),
    ],
    ids=["containerd-2", "of-somebody-else"],
)
def test_beside_mirrors_there_is_no_other_place(state: NodeState, words: str) -> None:
    problem = refused(running(state), secure()).problem
    assert problem.code == "ca-not-distributed"
    assert words in problem.message


def test_tls_settings_of_others_stay() -> None:
    state = running(node({CONFIG: HAS_MIRRORS + _THEIRS.replace(NAME, "other.lan")}))
    with_ca = applied(state, planned(state, secure()))
    assert "insecure_skip_verify = true" in str(shown(with_ca)[CONFIG])
    assert shown(applied(with_ca, planned(with_ca, secure(None)))) == shown(state)


def test_from_http_to_https_and_back_is_one_plan_each() -> None:
    http = running(node({CONFIG: READS_CERTS, HOSTS: PLAIN}))
    there = planned(http, secure(drops_http=True))
    assert [change.path for change in there.changes] == [f"{FOLDER}/{AUTHORITIES}", HOSTS]
    assert there.activation.unexpected == (NAME,)
    https = applied(http, there)
    assert "http://" not in texts(there)[HOSTS]
    assert planned(https, secure(drops_http=True)).is_empty
    back = planned(https, want(NAME))
    assert shown(applied(https, back)) == shown(http)


def test_plain_http_that_stays_hides_the_certificate() -> None:
    plan = planned(running(node({CONFIG: READS_CERTS, HOSTS: PLAIN})), secure())
    assert "certificate-unverified" in [one.code for one in plan.warnings]


def with_rotation(state: NodeState) -> Plan:
    return planned(applied(state, planned(state, secure())), secure(RegistryCertificates(authorities=PEM + PEM)))


def test_a_new_ca_replaces_the_old_one() -> None:
    assert [change.path for change in with_rotation(READS).changes] == [f"{FOLDER}/{AUTHORITIES}"]


def test_a_ca_beside_an_entry_to_remove_is_not_a_repair_that_stays() -> None:
    plan = planned(READS, secure(drops_http=True))
    assert plan.changes
    assert "repair-kept" not in [warning.code for warning in plan.warnings]
