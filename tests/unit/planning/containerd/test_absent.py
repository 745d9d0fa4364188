"""After the removal of the last registry every file is as it was before the first apply; what others use stays."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.address import Address
from harbor_agent.model.plan import Action, Plan
from harbor_agent.model.policy import DesiredState, RegistryCertificates
from harbor_agent.model.runtimes.containerd import NAME
from harbor_agent.model.state import FileKind, FileState
from harbor_agent.planning.containerd.runtime import restore
from tests.unit.planning.containerd.nodes import (
    CERTS,
    CONFIG,
    HARBOR,
    HOSTS,
    OURS,
    READS_CERTS,
    applied,
    node,
    planned,
    regular,
    running,
    shown,
    unwant,
    want,
)

if TYPE_CHECKING:
    from harbor_agent.model.state import NodeState

CRI = 'plugins."io.containerd.grpc.v1.cri"'
BARE = f"version = 2\n[{CRI}]\n  sandbox_image = 'pause:3.9'\n"
DUMPED = f"""version = 2

[plugins]

  [{CRI}]
    sandbox_image = "pause:3.9"

    [{CRI}.registry]
      config_path = ""

      [{CRI}.registry.auths]
"""
OTHER = "harbor.lan"


def trusted(state: NodeState, *entries: str) -> NodeState:
    return applied(state, planned(state, want(*(entries or (HARBOR,)))))


def with_files(state: NodeState, *files: FileState) -> NodeState:
    return replace(state, files={**state.files, **{file.path: file for file in files}})


def folder(path: str) -> FileState:
    return FileState(path=path, kind=FileKind.DIRECTORY)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "# nothing yet",
        "# nothing yet\n",
        "# nothing yet\n\n",
        "version = 2\n",
        "version = 2",
        BARE,
        BARE.rstrip(),
        DUMPED,
        DUMPED.replace('""', "''"),
        DUMPED.replace('config_path = ""', 'config_path = "" # none'),
        f"version = 2\n[{CRI}.registry]\n",
        f"version = 2\n[{CRI}.registry]\n[{CRI}.registry.mirrors]\n",
        f"version = 2\n\n[{CRI}.registry]\n\n[{CRI}.containerd]\n  snapshotter = 'overlayfs'\n",
        f"version = 2\n{CRI}.registry.headers.x = []\n",
        f"version = 2\n[{CRI}]\nregistry.headers.x = []\n",
        BARE.replace("\n", "\r\n"),
        "\ufeff" + BARE,
    ],
)
@pytest.mark.parametrize("version", ["1.7.24", "2.3.4"])
def test_the_configuration_is_as_it_was(text: str, version: str) -> None:
    if text.startswith("\ufeff") and version[0] == "2":
        return
    state = running(node({CONFIG: text}, version))
    after = trusted(state)
    assert shown(after) != shown(state)
    undo = planned(after, unwant(HARBOR))
    assert undo.activation.action is Action.RESTART
    gone = applied(after, undo)
    assert shown(gone) == shown(state)
    assert planned(gone, unwant(HARBOR)).is_empty
    record = gone.records[NAME]
    assert (record.entries, record.created_files, record.original_hashes, record.earlier_settings) == ((), (), {}, {})


def test_the_last_of_two_registries_takes_config_path_with_it() -> None:
    state = running(node({CONFIG: BARE}))
    both = trusted(trusted(state), OTHER)
    one = applied(both, planned(both, unwant(HARBOR)))
    assert f'config_path = "{CERTS}"' in (one.files[CONFIG].content or b"").decode()
    assert planned(one, want(OTHER)).is_empty
    assert shown(applied(one, planned(one, unwant(OTHER)))) == shown(state)
    assert shown(applied(both, planned(both, unwant(HARBOR, OTHER)))) == shown(state)


@pytest.mark.parametrize(
    "files",
    [
        (folder(f"{CERTS}/docker.io"),),
        (folder(f"{CERTS}/_default"), regular(f"{CERTS}/_default/hosts.toml", "")),
        (regular(f"{CERTS}/{HARBOR}/ca.crt", "x"),),
    ],
)
def test_a_directory_of_others_keeps_config_path(files: tuple[FileState, ...]) -> None:
    after = with_files(trusted(running(node({CONFIG: BARE}))), *files)
    undo = planned(after, unwant(HARBOR))
    assert [change.path for change in undo.changes] == [HOSTS]
    assert undo.activation.action is Action.NONE


def test_a_directory_that_was_not_read_before_keeps_nothing() -> None:
    state = with_files(running(node({CONFIG: BARE})), folder(f"{CERTS}/docker.io"))
    after = trusted(state)
    assert shown(applied(after, planned(after, unwant(HARBOR)))) == shown(state)


def test_edits_of_others_stay() -> None:
    after = trusted(running(node({CONFIG: BARE})))
    edited = (after.files[CONFIG].content or b"").replace(b"3.9", b"3.10")
    after = running(with_files(after, regular(CONFIG, edited)))
    gone = applied(after, planned(after, unwant(HARBOR)))
    assert gone.files[CONFIG].content == BARE.replace("3.9", "3.10").encode()


def test_another_config_path_is_left_alone() -> None:
    after = trusted(running(node({CONFIG: BARE})))
    edited = (after.files[CONFIG].content or b"").replace(CERTS.encode(), b"/srv/certs.d")
    hosts = f"/srv/certs.d/{HARBOR}/hosts.toml"
    after = running(with_files(after, regular(CONFIG, edited), regular(hosts, OURS), FileState(path=HOSTS)))
    assert [change.path for change in planned(after, unwant(HARBOR)).changes] == [hosts]


def test_a_config_path_that_was_there_stays() -> None:
    state = running(node({CONFIG: READS_CERTS}))
    after = trusted(state)
    assert shown(applied(after, planned(after, unwant(HARBOR)))) == shown(state)


@pytest.mark.parametrize(
    "text",
    [
        "",
        'server = "https://192.168.0.99"\n',
        '# ours\nserver = "https://192.168.0.99"\n',
        '[host."https://192.168.0.99"]\n',
        '[host."https://192.168.0.99"]\n  skip_verify = true\n',
        'server = "https://192.168.0.99"\n\n[host."http://192.168.0.99"]\n  capabilities = ["pull"]\n',
        '[host."http://10.0.0.1"]\n',
    ],
)
def test_a_hosts_toml_is_as_it_was(text: str) -> None:
    state = running(node({CONFIG: READS_CERTS, HOSTS: text}))
    after = trusted(state)
    assert shown(applied(after, planned(after, unwant(HARBOR)))) == shown(state)


def test_a_directory_for_a_ca_goes_with_it() -> None:
    state = running(node({CONFIG: BARE}))
    name = Address.parse(f"https://{OTHER}")
    pem = RegistryCertificates(authorities=b"-----BEGIN CERTIFICATE-----\n")
    after = applied(state, planned(state, DesiredState(secure=(name,), certificates={OTHER: pem})))
    assert f"{CERTS}/{OTHER}/harbor-agent.crt" in shown(after)
    assert shown(applied(after, planned(after, unwant(f"https://{OTHER}")))) == shown(state)


def test_a_tree_without_a_record_loses_a_configuration_that_is_ours_alone() -> None:
    state = node({})
    after = replace(trusted(state), records={})
    assert shown(applied(after, planned(after, unwant(HARBOR)))) == {}
    for text in (BARE, READS_CERTS):
        after = replace(trusted(node({CONFIG: text})), records={})
        assert [change.path for change in planned(after, unwant(HARBOR)).changes] == [HOSTS]


def test_a_rollback_forgets_the_earlier_setting() -> None:
    state = running(node({CONFIG: BARE}))
    plan = planned(state)
    after = applied(state, plan)
    back = restore("node-1", after, [change.before for change in plan.changes], "roll back")
    assert isinstance(back, Plan)
    assert (back.original_hashes, back.earlier_settings) == ({}, {})
    assert shown(applied(after, back)) == shown(state)


def test_what_a_repair_changed_is_named_once_the_last_registry_is_removed() -> None:
    conflict = running(node({CONFIG: f"{READS_CERTS}[{CRI}.registry.mirrors.h]\nendpoint = ['http://h']\n"}))
    repaired = applied(conflict, planned(conflict, want(HARBOR, repair=True)))
    warnings = {one.code: one.message for one in planned(repaired, unwant(HARBOR)).warnings}
    assert CONFIG in warnings["repair-kept"]
    assert f"{CERTS}/h/hosts.toml" in warnings["repair-kept"]
    assert HOSTS not in warnings["repair-kept"]
    for text in (READS_CERTS, BARE):
        whole = trusted(running(node({CONFIG: text})))
        assert "repair-kept" not in [one.code for one in planned(whole, unwant(HARBOR)).warnings]
