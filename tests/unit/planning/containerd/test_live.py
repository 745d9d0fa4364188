"""What the running containerd does counts as well as what its files say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.daemon import UnitState
from harbor_agent.model.plan import Action, Plan, Refusal
from harbor_agent.model.policy import RouteChoice
from harbor_agent.model.runtimes.containerd import NAME
from harbor_agent.model.state import FileKind, FileState, Record
from harbor_agent.planning.containerd.runtime import describe_process, evaluate_files, restore
from harbor_agent.planning.rollout.consent import find_objection_to_restart
from tests.unit.planning.containerd.nodes import (
    CERTS,
    CONFIG,
    HARBOR,
    HAS_MIRRORS,
    HOSTS,
    OURS,
    POD,
    READS_CERTS,
    UNIT,
    applied,
    containerd_of,
    decide,
    node,
    planned,
    refused,
    regular,
    running,
    shown,
    unwant,
    want,
    with_containerd,
)

if TYPE_CHECKING:
    from harbor_agent.model.state import NodeState

TRUSTED = running(node({CONFIG: READS_CERTS, HOSTS: OURS}))
READS = running(node({CONFIG: READS_CERTS}))
MIRRORS = running(node({CONFIG: HAS_MIRRORS}))


def test_hosts_toml_needs_no_restart_and_stops_nothing() -> None:
    plan = planned(READS)
    assert plan.activation.action is Action.NONE
    assert plan.activation.unit == UNIT
    assert plan.activation.config_file == CONFIG
    assert plan.activation.stops == ()
    assert plan.owned_entries == (HARBOR,)
    assert plan.created_files == (HOSTS,)


@pytest.mark.parametrize(
    "facts",
    [
        {"changed_files": (CONFIG,), "live_config_path": None},
        {"live_config_path": "/srv/other"},
        {"live_config_path": ""},
        {"proofs": {HARBOR: "https"}},
    ],
)
def test_files_that_are_right_and_not_read_need_a_restart(facts: dict[str, object]) -> None:
    plan = planned(with_containerd(TRUSTED, **facts))
    assert plan.changes == ()
    assert plan.activation.action is Action.RESTART


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"proofs": {HARBOR: "http"}},
        {"proofs": {HARBOR: "http"}, "changed_files": ("/etc/containerd/config.toml",), "live_config_path": None},
        {"live_config_path": None},
        {"changed_files": None},
    ],
)
def test_a_daemon_that_has_read_them_is_left_alone(facts: dict[str, object]) -> None:
    assert planned(with_containerd(TRUSTED, **facts)).is_empty


def test_an_answer_over_https_says_nothing_if_https_is_tried_last() -> None:
    foreign = OURS.replace('server = "http://', 'server = "https://')
    state = running(node({CONFIG: READS_CERTS, HOSTS: foreign}), proofs={HARBOR: "https"})
    assert planned(state).is_empty
    assert describe_process(state).entries == (HARBOR,)


def test_an_answer_over_https_says_nothing_if_a_host_uses_https() -> None:
    both = OURS + '\n[host."https://192.168.0.99"]\n  skip_verify = true\n'
    assert planned(running(node({CONFIG: READS_CERTS, HOSTS: both}), proofs={HARBOR: "https"})).is_empty


def test_an_edit_of_somebody_else_is_applied_only_with_consent() -> None:
    plan = planned(with_containerd(MIRRORS, changed_files=(CONFIG,)))
    objection = find_objection_to_restart(plan)
    assert objection is not None
    assert objection.code == "latent-edit"
    assert CONFIG in objection.message
    assert [one.code for one in plan.warnings] == ["latent-edit"]


def test_our_own_edit_is_none_of_somebody_else() -> None:
    after = applied(MIRRORS, planned(MIRRORS))

    record = Record(file_hashes={CONFIG: after.files[CONFIG].digest})
    state = with_containerd(replace(after, records={NAME: record}), changed_files=(CONFIG,))
    assert find_objection_to_restart(planned(state, want("harbor.lan"))) is None


@pytest.mark.parametrize("mode", ["control-group", "mixed"])
def test_a_restart_that_kills_the_containers_needs_consent(mode: str) -> None:
    plan = planned(with_containerd(MIRRORS, kill_mode=mode))
    assert plan.activation.stops == (POD,)
    objection = find_objection_to_restart(plan)
    assert objection is not None
    assert objection.code == "containers-would-stop"
    assert f"KillMode={mode}" in objection.message
    assert find_objection_to_restart(planned(MIRRORS)) is None


def test_containers_that_were_not_listed_matter_only_if_they_are_killed() -> None:
    assert planned(with_containerd(MIRRORS, containers=None)).containers_seen
    assert not planned(with_containerd(MIRRORS, containers=None, kill_mode="control-group")).containers_seen


def test_a_daemon_that_is_down_is_not_changed() -> None:
    unit = UnitState(name=UNIT, load_state="loaded", active_state="failed")
    refusal = refused(with_containerd(READS, unit=unit, argv=None))
    assert refusal.problem.code == "runtime-not-running"
    assert refusal.changes
    assert planned(with_containerd(TRUSTED, unit=unit, argv=None)).is_empty


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"dump_error": "config.toml: password = 's3cret': bad"}, "file-invalid"),
        ({"dump": b'version = 2\n[plugins.cri.registry]\nconfig_path = "/other"\n'}, "settings-unclear"),
        ({"dump": b"not toml"}, "settings-unclear"),
        (
            {
                "dump": b'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\n'
                b'config_path = "/etc/containerd/certs.d"\nmirrors = {x = {}}\n'
            },
            "settings-unclear",
        ),
        ({"unit": UnitState(name=UNIT, load_state="masked", active_state="active")}, "unit-masked"),
    ],
)
def test_a_node_that_is_not_understood_is_refused(facts: dict[str, object], code: str) -> None:
    refusal = refused(with_containerd(READS, **facts))
    assert refusal.problem.code == code
    assert "s3cret" not in refusal.problem.message


def test_no_configuration_file_is_no_error() -> None:
    state = running(node({}), dump_error="open /etc/containerd/config.toml: no such file or directory")
    assert planned(state).activation.action is Action.RESTART


def test_a_dump_that_agrees_is_planned() -> None:
    dump = (
        b'version = 3\n[plugins."io.containerd.cri.v1.images".registry]\nconfig_path = ""\n'
        b'[plugins."io.containerd.cri.v1.images".registry.mirrors."docker.io"]\n'
    )
    assert planned(with_containerd(running(node({CONFIG: HAS_MIRRORS}, "2.1.9")), dump=dump)).changes


def test_a_transaction_under_way_comes_first() -> None:
    assert refused(replace(READS, pending_transaction="t1")).problem.code == "transaction-pending"


def test_a_forced_route_is_docker_s() -> None:
    assert refused(READS, want(HARBOR, route=RouteChoice.DAEMON_JSON)).problem.code == "route-ineffective"
    assert planned(TRUSTED, want(HARBOR, route=RouteChoice.DROP_IN)).is_empty


def test_a_mirror_that_is_removed_and_not_read_yet_needs_a_restart() -> None:
    plan = planned(with_containerd(MIRRORS, changed_files=(CONFIG,), proofs={HARBOR: "http"}), unwant(HARBOR))
    assert plan.activation.action is Action.RESTART
    assert planned(with_containerd(MIRRORS, proofs={HARBOR: "http"}), unwant(HARBOR)).is_empty


def test_a_link_is_not_followed() -> None:
    link = FileState(path=HOSTS, kind=FileKind.SYMLINK, link_target="/srv/hosts.toml")
    state = replace(READS, files={**READS.files, HOSTS: link})
    assert refused(state).problem.code == "file-symlinked"


def test_an_empty_directory_wins_over_the_default() -> None:
    files = {
        **READS.files,
        f"{CERTS}/{HARBOR}": FileState(path=f"{CERTS}/{HARBOR}", kind=FileKind.DIRECTORY),
        f"{CERTS}/_default/hosts.toml": regular(f"{CERTS}/_default/hosts.toml", '[host."http://10.0.0.1"]\n'),
    }
    (change,) = planned(replace(READS, files=files)).changes
    assert (change.after.content or b"").decode() == OURS


@pytest.mark.parametrize("state", [READS, MIRRORS, TRUSTED], ids=["files-only", "restart", "nothing-to-change"])
def test_a_containerd_without_cri_is_refused(state: NodeState) -> None:
    """No change could be proven there; only files that exclude each other are repaired by one."""
    refusal = refused(with_containerd(state, cri_loaded=False, cri_error="no snapshotter"))
    assert refusal.problem.code == "cri-not-loaded"
    assert "no snapshotter" in refusal.problem.message
    assert "cri-not-loaded" not in [warning.code for warning in refusal.warnings]
    warned = planned(with_containerd(state, cri_loaded=False), want())
    assert [warning.code for warning in warned.warnings][-1:] == ["cri-not-loaded"]


def test_settings_that_keep_cri_from_loading_are_repaired() -> None:
    state = running(node({CONFIG: HAS_MIRRORS.replace("registry]\n", f"registry]\n  config_path = '{CERTS}'\n", 1)}))
    assert containerd_of(state).cri_loaded is False
    assert refused(state).problem.code == "runtime-config-conflict"
    assert planned(state, want(HARBOR, repair=True)).activation.action is Action.RESTART


def test_a_default_for_all_registries_is_not_edited_to_remove_one() -> None:
    default = f"{CERTS}/_default/hosts.toml"
    state = running(node({CONFIG: READS_CERTS, default: OURS}))
    assert planned(state).is_empty
    assert refused(state, unwant(HARBOR)).problem.code == "removal-unclear"


def test_a_program_that_writes_the_configuration_is_named() -> None:
    state = running(node({CONFIG: "# File generated by the agent. DO NOT EDIT.\n" + READS_CERTS}))
    assert [one.code for one in planned(state).warnings] == ["file-may-be-managed"]


def test_what_the_process_reports_is_compared_with_its_files() -> None:
    assert describe_process(TRUSTED).entries == (HARBOR,)
    assert describe_process(with_containerd(TRUSTED, proofs={HARBOR: "https"})).entries == ()
    assert describe_process(with_containerd(TRUSTED, live_config_path="/other")).entries == ()
    assert describe_process(with_containerd(TRUSTED, cri_loaded=False)).entries == ()
    assert describe_process(with_containerd(TRUSTED, argv=None)).entries is None
    assert describe_process(with_containerd(READS, proofs={HARBOR: "http"})).entries == (HARBOR,)
    assert evaluate_files(TRUSTED).entries == (HARBOR,)


def test_a_rollback_restores_the_files_and_restarts_only_for_the_configuration() -> None:
    for state, action in ((READS, Action.NONE), (MIRRORS, Action.RESTART)):
        plan = planned(state)
        earlier = [change.before for change in plan.changes]
        back = restore("node-1", applied(state, plan), earlier, "roll back")
        assert isinstance(back, Plan), back.problem
        assert back.activation.action is action
        assert back.activation.unexpected == (HARBOR,)
        assert shown(applied(applied(state, plan), back)) == shown(state)
    nothing = restore("node-1", READS, [READS.files[CONFIG]], "roll back")
    assert isinstance(nothing, Plan)
    assert nothing.is_empty


def test_a_configuration_with_which_cri_does_not_load_is_not_restored() -> None:
    broken = HAS_MIRRORS.replace("registry]\n", 'registry]\n  config_path = "/etc/containerd/certs.d"\n', 1)
    before = running(node({CONFIG: broken}))
    plan = planned(before, want(HARBOR, repair=True))
    refusal = restore("node-1", applied(before, plan), [before.files[CONFIG]], "roll back")
    assert isinstance(refusal, Refusal)
    assert refusal.problem.code == "runtime-config-conflict"


def test_an_entry_of_ours_that_is_no_longer_requested_is_reported() -> None:
    after = applied(READS, planned(READS))
    decision = decide(after, want("harbor.lan"))
    assert "ours-no-longer-wanted" in [one.code for one in decision.warnings]


@pytest.mark.parametrize(("version", "kept"), [("1.5.18", False), ("1.6.20", True), ("2.1.9", True)])
def test_the_servers_of_the_default_are_kept_if_this_version_reads_it(version: str, *, kept: bool) -> None:
    default = f"{CERTS}/_default/hosts.toml"
    text = 'server = "http://10.0.0.1:5000"\n[host."http://10.0.0.2"]\n'
    state = node({CONFIG: READS_CERTS, default: text}, version)
    plan = planned(state)
    (change,) = plan.changes
    written = (change.after.content or b"").decode()
    assert ('[host."http://10.0.0.2"]' in written) is kept
    assert ('[host."http://10.0.0.1:5000"]' in written) is kept
    assert shown(applied(applied(state, plan), planned(applied(state, plan), unwant(HARBOR)))) == shown(state)


@pytest.mark.field("02")
def test_an_edit_that_the_rollback_undoes_needs_no_consent() -> None:
    edited = with_containerd(applied(MIRRORS, planned(MIRRORS)), changed_files=(CONFIG,))
    kept = [regular(HOSTS, OURS)]
    for earlier, edits in (([MIRRORS.files[CONFIG]], ()), (kept, (f"{CONFIG} changed after containerd started",))):
        back = restore("node-1", edited, earlier, "roll back")
        assert isinstance(back, Plan), back.problem
        assert (back.activation.action, back.latent_edits) == (Action.RESTART, edits)
