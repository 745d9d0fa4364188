"""A login for kubelet: only on request, in the file that kubelet reads, never shown, and removed again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.address import Address
from harbor_agent.model.kubelet import Kubelet
from harbor_agent.model.plan import Action, Plan, Route
from harbor_agent.model.policy import Credentials, DesiredState
from harbor_agent.model.sensitive import Sensitive
from harbor_agent.model.state import EarlierSetting, FileKind, Record
from harbor_agent.planning.files.diff import render_diff
from tests.unit.planning.docker.nodes import DEBIAN_UNIT, FRAGMENT, files_of, offline, with_docker
from tests.unit.planning.docker.plans import after, codes, plan, refusal

if TYPE_CHECKING:
    from harbor_agent.model.state import NodeState

ENTRY = "harbor.lan"
SECURE = Address.parse(f"https://{ENTRY}")
LOGIN = Credentials(username="robot$pull", password=Sensitive("kubelet-canary"))
AUTH = "cm9ib3QkcHVsbDprdWJlbGV0LWNhbmFyeQ=="
FIRST, HOME, LEGACY = "/var/lib/kubelet/config.json", "/.docker/config.json", "/var/lib/kubelet/.dockercfg"
PATHS = (FIRST, "/config.json", HOME, HOME, LEGACY, "/.dockercfg")
WANTED = DesiredState(secure=(SECURE,), kubelet_logins={ENTRY: LOGIN})
THEIRS = '{"auths": {"other.lan": {"auth": "dGhlaXJz"}}}'
OURS = f'{{"auths": {{"{ENTRY}": {{"auth": "{AUTH}", "email": "harbor-agent"}}}}}}\n'


def node(files: dict[str, str] | None = None, *, created: tuple[str, ...] = (), mode: int = 0o600) -> NodeState:
    state = with_docker(offline(files_of({FRAGMENT: DEBIAN_UNIT, **(files or {})})), version="20.10.24")
    changed = {path: replace(state.files[path], mode=mode) for path in files or {}}
    record = Record(file_hashes=dict.fromkeys(files or {}, "hash"), created_files=created)
    kubelet = Kubelet(argv=("kubelet",), version="1.20.2", login_files=PATHS)
    records = {"docker": record} if files else {}
    return replace(state, offline=False, kubelet=kubelet, files={**state.files, **changed}, records=records)


def test_a_new_file_is_for_root_and_the_risks_are_named() -> None:
    decision = plan(node(), WANTED)
    assert isinstance(decision, Plan)
    (change,) = decision.changes
    assert (change.path, change.after.mode, change.after.uid) == (FIRST, 0o600, 0)
    assert after(decision, FIRST) == OURS
    assert (decision.activation.action, decision.route) == (Action.NONE, Route.KUBELET_LOGIN)
    (warning,) = [one for one in decision.warnings if one.code == "kubelet-login-on-disk"]
    assert "every namespace" in warning.message
    assert FIRST in decision.created_files


def test_no_password_is_shown() -> None:
    decision = plan(node({HOME: THEIRS}), WANTED)
    shown = "".join(render_diff(change) for change in decision.changes) + repr(decision) + repr(WANTED)
    assert ENTRY in shown
    assert not [secret for secret in (AUTH, "kubelet-canary", "dGhlaXJz") if secret in shown]


def test_without_a_request_nothing_is_written() -> None:
    assert plan(node(), replace(WANTED, kubelet_logins={})).is_empty


def test_the_file_that_kubelet_reads_keeps_its_logins_and_is_closed() -> None:
    decision = plan(node({HOME: THEIRS}, mode=0o644), WANTED)
    (change,) = decision.changes
    assert (change.path, change.after.mode) == (HOME, 0o600)
    assert '"other.lan": {"auth": "dGhlaXJz"}' in after(decision, HOME)


def test_the_mode_of_a_file_that_was_there_returns_with_its_last_login() -> None:
    other = Address.parse("https://second.lan")
    both = DesiredState(secure=(SECURE, other), kubelet_logins={ENTRY: LOGIN, "second.lan": LOGIN})
    added = plan(node({HOME: THEIRS}, mode=0o644), both)
    assert isinstance(added, Plan)
    assert added.earlier_settings == {HOME: EarlierSetting(value="644")}

    def after_it(text: str) -> NodeState:
        state = node({HOME: text})
        record = replace(state.records["docker"], earlier_settings=added.earlier_settings)
        return replace(state, records={"docker": record})

    again = plan(after_it(after(added, HOME)), both)
    assert isinstance(again, Plan)
    assert (again.is_empty, again.earlier_settings) == (True, added.earlier_settings)
    one_left = plan(after_it(after(added, HOME)), replace(both, kubelet_logins={ENTRY: LOGIN}))
    assert isinstance(one_left, Plan)
    assert (one_left.changes[0].after.mode, one_left.earlier_settings) == (0o600, added.earlier_settings)
    removed = plan(after_it(after(one_left, HOME)), replace(both, kubelet_logins={}))
    assert isinstance(removed, Plan)
    assert after(removed, HOME) == THEIRS
    assert (removed.changes[0].after.mode, removed.earlier_settings) == (0o644, {})


def test_the_login_that_is_there_needs_no_change_and_a_new_password_one() -> None:
    assert plan(node({FIRST: OURS}), WANTED).is_empty
    renewed = DesiredState(secure=(SECURE,), kubelet_logins={ENTRY: replace(LOGIN, password=Sensitive("new"))})
    assert [change.path for change in plan(node({FIRST: OURS}), renewed).changes] == [FIRST]


@pytest.mark.parametrize(
    "desired", [DesiredState(secure=(SECURE,)), DesiredState(absent=(SECURE,))], ids=["not-requested", "absent"]
)
def test_our_login_is_removed_and_those_of_others_stay(desired: DesiredState) -> None:
    decision = plan(node({FIRST: OURS}, created=(FIRST,)), desired)
    assert [(change.path, change.after.kind) for change in decision.changes] == [(FIRST, FileKind.ABSENT)]
    merged = after(plan(node({HOME: THEIRS}), WANTED), HOME)
    assert after(plan(node({HOME: merged}), desired), HOME) == THEIRS
    foreign = OURS.replace(', "email": "harbor-agent"', "")
    assert plan(node({FIRST: foreign}), desired).is_empty


def test_a_check_without_the_password_leaves_the_login_alone() -> None:
    desired = DesiredState(secure=(SECURE,), kept_logins=(ENTRY,))
    assert plan(node({FIRST: OURS}), desired).is_empty


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (node({FIRST: f'{{"auths": {{"https://{ENTRY}": {{"auth": "dGhlaXJz"}}}}}}'}), "kubelet-login-differs"),
        (node({LEGACY: THEIRS}), "kubelet-login-impossible"),
        (replace(node(), kubelet=None), "kubelet-login-impossible"),
        (replace(node(), kubelet=Kubelet(argv=("kubelet",), version="1.20.2")), "kubelet-login-impossible"),
        (node({FIRST: "{broken"}), "file-invalid"),
    ],
    ids=["of-another", "legacy-file", "no-kubelet", "in-a-container", "broken"],
)
def test_a_login_that_cannot_be_written_is_refused(state: NodeState, code: str) -> None:
    assert refusal(state, WANTED).problem.code == code


def test_the_warning_is_only_about_a_login_that_is_written() -> None:
    assert "kubelet-login-on-disk" not in codes(plan(node({FIRST: OURS}), WANTED))
