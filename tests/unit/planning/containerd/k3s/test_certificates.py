"""The CA of a registry over HTTPS on nodes with k3s and RKE2: a file of our own, and its name in registries.yaml."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harbor_agent.formats.containerd.hosts import render_hosts
from harbor_agent.formats.registries_yaml.certificates import render_certificates
from harbor_agent.local.tree import Tree
from harbor_agent.model.address import Address
from harbor_agent.model.plan import Action, Plan, Refusal, Route
from harbor_agent.model.policy import DesiredState, RegistryCertificates
from harbor_agent.model.state import FileKind, FileState
from harbor_agent.planning.containerd.k3s.runtime import k3s
from harbor_agent.planning.drift import DriftStatus, classify
from harbor_agent.planning.node import observe_tree, plan_node
from tests.unit.planning.containerd.k3s.nodes import applied, shown
from tests.unit.planning.containerd.k3s.test_cases import CASES
from tests.unit.planning.containerd.k3s.test_running import (
    CONFIG,
    DIRECTORIES,
    FOLDER,
    HEAD,
    NO_REGISTRIES,
    REGISTRIES,
    SECTION,
    node,
    paths,
    recorded,
)
from tests.unit.planning.decisions import planned, refused

if TYPE_CHECKING:
    from harbor_agent.model.state import NodeState

HARBOR = "h.lan:8443"
SECURE, PLAIN = Address.parse(f"https://{HARBOR}"), Address.parse(f"http://{HARBOR}")
STEM = "/etc/rancher/k3s/harbor-agent-h.lan_8443"
CA, CERT, KEY = f"{STEM}.crt", f"{STEM}.cert", f"{STEM}.key"
HOSTS = f"{FOLDER}/certs.d/{HARBOR}/hosts.toml"
NAMED = render_certificates(HARBOR, {"ca_file": CA})
OURS = (
    f'server = "https://{HARBOR}"\n\n[host."https://{HARBOR}"]\n  capabilities = ["pull", "resolve"]\n  ca = "{CA}"\n'
)
RENDERED = f'{HEAD}server = "https://{HARBOR}/v2"\n\n[host."https://{HARBOR}/v2"]\n  ca = ["{CA}"]\n'
IN_CONFIG = f'version = 2\n{SECTION}.configs."{HARBOR}".tls]\n  ca_file = "{CA}"\n'


def trust(*, authorities: bytes = b"pem\n", client: bytes = b"", key: bytes = b"") -> DesiredState:
    wanted = RegistryCertificates(authorities=authorities, client=client, key=key)
    return DesiredState(secure=(SECURE,), certificates={HARBOR: wanted})


def text_of(state: NodeState, path: str) -> str:
    return (state.files[path].content or b"").decode()


FORGET = DesiredState(absent=(SECURE,))


def test_a_ca_is_written_named_and_read_at_once() -> None:
    state = node({CONFIG: DIRECTORIES})
    plan = planned(state, trust())
    assert (paths(plan), plan.activation.action, plan.route) == (
        [CA, REGISTRIES, HOSTS],
        Action.NONE,
        Route.CERTIFICATES,
    )
    assert (plan.passing_files, plan.activation.expected) == ((HOSTS,), ())
    after = recorded(state, plan)
    assert (text_of(after, CA), text_of(after, REGISTRIES), text_of(after, HOSTS)) == ("pem\n", NAMED, OURS)
    assert planned(after, trust()).is_empty
    assert classify(after, None).status is DriftStatus.IN_SYNC
    removal = planned(after, FORGET)
    assert removal.activation.action is Action.NONE
    assert shown(recorded(after, removal)) == shown(state)


def test_a_client_certificate_has_its_key_with_it() -> None:
    state = node({CONFIG: DIRECTORIES})
    plan = planned(state, trust(client=b"cert\n", key=b"key\n"))
    assert paths(plan) == [CA, KEY, CERT, REGISTRIES, HOSTS]
    assert [change.after.mode for change in plan.changes[:3]] == [0o644, 0o600, 0o644]
    after = recorded(state, plan)
    assert f'client = [["{CERT}", "{KEY}"]]' in text_of(after, HOSTS)
    without = planned(after, trust())
    assert set(paths(without)) == {HOSTS, REGISTRIES, KEY, CERT}
    assert text_of(recorded(after, without), REGISTRIES) == NAMED


def test_another_ca_is_a_new_content_and_nothing_else() -> None:
    files = {CONFIG: DIRECTORIES, CA: "old\n", REGISTRIES: NAMED, HOSTS: RENDERED}
    plan = planned(node(files), trust())
    assert (paths(plan), plan.activation.action) == ([CA], Action.NONE)


def test_an_older_one_is_restarted_for_it() -> None:
    plan = planned(node({CONFIG: NO_REGISTRIES}), trust())
    assert (paths(plan), plan.activation.action) == ([CA, REGISTRIES], Action.RESTART)
    read = node({CONFIG: IN_CONFIG, CA: "pem\n", REGISTRIES: NAMED})
    assert planned(read, trust()).is_empty
    removal = planned(read, FORGET)
    assert (set(paths(removal)), removal.activation.action) == ({CA, REGISTRIES}, Action.RESTART)
    unread = planned(node({CONFIG: NO_REGISTRIES, CA: "pem\n", REGISTRIES: NAMED}), trust())
    assert (paths(unread), unread.activation.action) == ([], Action.RESTART)


def test_from_plain_http_to_a_ca_in_one_step() -> None:
    plain = f'mirrors:\n  "{HARBOR}":\n    endpoint:\n      - "http://{HARBOR}"\n'
    state = node({CONFIG: DIRECTORIES, REGISTRIES: plain, HOSTS: render_hosts(PLAIN)})
    plan = planned(state, replace(trust(), absent=(PLAIN,)))
    after = recorded(state, plan)
    assert plan.activation.action is Action.NONE
    assert (text_of(after, REGISTRIES), text_of(after, HOSTS)) == (NAMED, OURS)


def test_what_the_next_start_wrote_is_removed_with_its_settings() -> None:
    state = node({CONFIG: DIRECTORIES, CA: "pem\n", REGISTRIES: NAMED, HOSTS: RENDERED})
    plan = planned(state, FORGET)
    assert (set(paths(plan)), plan.activation.action) == ({CA, REGISTRIES, HOSTS}, Action.NONE)
    assert not any(change.after.exists for change in plan.changes)


def test_a_ca_of_somebody_else_is_not_replaced() -> None:
    other = NAMED.replace(CA, "/mine.crt")
    assert refused(node({CONFIG: DIRECTORIES, REGISTRIES: other}), trust()).problem.code == "file-invalid"
    assert planned(node({CONFIG: DIRECTORIES, REGISTRIES: other}), FORGET).is_empty


def test_a_rollback_restarts_where_the_ca_is_in_the_configuration() -> None:
    state = node({CONFIG: IN_CONFIG, CA: "pem\n", REGISTRIES: NAMED})
    plan = k3s.restore("node-1", state, [FileState(path=CA), FileState(path=REGISTRIES)], "restore")
    assert isinstance(plan, Plan)
    assert plan.activation.action is Action.RESTART
    state = node({CONFIG: DIRECTORIES, CA: "pem\n", REGISTRIES: NAMED, HOSTS: RENDERED})
    earlier = [FileState(path=path) for path in (CA, REGISTRIES, HOSTS)]
    plan = k3s.restore("node-1", state, earlier, "restore")
    assert isinstance(plan, Plan)
    assert plan.activation.action is Action.NONE


@pytest.mark.parametrize("case", ["empty", "default-directory"])
def test_in_a_tree_it_is_written_once(case: str) -> None:
    state = observe_tree(Tree(str(CASES / case / "root")), "1.31", "k3s")
    plan = planned(state, trust())
    assert paths(plan)[0] == CA
    after = applied(state, plan)
    assert planned(after, trust()).is_empty
    assert shown(applied(after, planned(after, FORGET))) == shown(state)


def test_the_store_of_the_system_is_another_request() -> None:
    state = observe_tree(Tree(str(CASES / "empty/root")), "1.31", "k3s")
    decision = plan_node("image", state, replace(trust(), system_trust=(HARBOR,)), {})
    assert isinstance(decision, Refusal)
    assert decision.problem.code == "trust-store-unknown"


def test_a_template_without_the_registries_is_refused() -> None:
    path = f"{FOLDER}/config.toml.tmpl"
    state = node({CONFIG: NO_REGISTRIES})
    template = FileState(path=path, kind=FileKind.REGULAR, content=b"version = 2\n", mode=0o644)
    state = replace(state, files={**state.files, path: template})
    assert refused(state, trust()).problem.code == "template-without-base"
