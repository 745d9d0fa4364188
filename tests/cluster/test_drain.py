"""A rollout's side in the cluster, on a real API server: whom it empties, whom it waits for, what it leaves behind."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import yaml

from agent.cluster.nodes import CORDONED_BY
from agent.engine.drain import ClusterSide, Deadlines, look_around
from agent.engine.events import Message
from agent.engine.fleet import PlannedNode
from agent.errors import AgentError, ExitCode, UsageError
from agent.model.inventory import Node
from agent.model.plan import Action, Plan
from agent.model.policy import Policy
from agent.model.result import NodeResult, Outcome
from agent.model.state import NodeState, System
from tests.cluster.answering import free_port
from tests.lab.kubelet import (
    add_budget,
    add_node,
    add_pod,
    allow,
    pods_on,
    renew_lease,
    running_kubelet,
    set_ready,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.engine.events import Event
    from agent.engine.surroundings import Surroundings
    from tests.lab.apiserver import RunningApiServer

pytestmark = pytest.mark.needs("apiserver")

RUN = "20260101T000000Z-0001"
NUMBERS = itertools.count(1)
PATIENT = Deadlines(drain=60.0, ready=60.0)
SHORT = Deadlines(drain=1.0, ready=1.0)


@pytest.fixture
def name() -> str:
    return f"worker-{next(NUMBERS)}"


def planned(name: str, *, action: Action = Action.RESTART, address: str = "", boot_id: str = "") -> PlannedNode:
    return PlannedNode(
        node=Node(name=name, address=address or name),
        policy=Policy(registries=()),
        outcome=Outcome.CHANGE,
        decision=Plan(node=name, action=action, reason="test"),
        state=NodeState(system=System(boot_id=boot_id)),
    )


Around = Callable[..., "Surroundings"]


@pytest.fixture
def around(apiserver: RunningApiServer) -> Iterator[Around]:
    """Look around for nodes, with a drain unless told otherwise."""
    with ExitStack() as stack:

        def look(*nodes: PlannedNode, user: str = "admin", told: list[Event] | None = None, **side: object) -> object:
            kubeconfig = str(apiserver.kubeconfig(user))
            listener = (told if told is not None else []).append
            wish = ClusterSide(
                run_id=RUN, kubeconfig=kubeconfig, context=None, drain=True, listener=listener, deadlines=PATIENT
            )
            return stack.enter_context(look_around(replace(wish, **side), nodes))

        yield look


def ended(name: str, outcome: Outcome = Outcome.CHANGED, *, verified: bool | None = True) -> NodeResult:
    return NodeResult(node=name, outcome=outcome, action=Action.RESTART, verified=verified)


def cordon_of(apiserver: RunningApiServer, name: str) -> tuple[bool, str | None]:
    node = apiserver.ask("GET", f"/api/v1/nodes/{name}")
    return bool(node["spec"].get("unschedulable")), node["metadata"].get("annotations", {}).get(CORDONED_BY)


class TestDrain:
    def test_a_node_is_empty_for_its_restart_and_works_again_after_it(
        self, around: Around, apiserver: RunningApiServer, name: str
    ) -> None:
        add_node(apiserver, name)
        add_pod(apiserver, name, f"{name}-web")
        stays = {
            add_pod(apiserver, name, f"{name}-agent", controller="DaemonSet"),
            add_pod(
                apiserver, name, f"{name}-static", controller=None, annotations={"kubernetes.io/config.mirror": "x"}
            ),
            add_pod(apiserver, name, f"{name}-job", controller=None, phase="Succeeded"),
        }
        side = around(planned(name))
        with running_kubelet(apiserver, name):
            assert side.before([planned(name)]) == {}
        assert pods_on(apiserver, name) == stays
        assert cordon_of(apiserver, name) == (True, RUN)
        result = ended(name)
        assert side.after([result]) == [result]
        assert cordon_of(apiserver, name) == (False, None)
        side.end([result])
        assert side.findings == ()

    def test_a_reload_disturbs_no_pod(self, around: Around, apiserver: RunningApiServer, name: str) -> None:
        add_node(apiserver, name)
        pod = add_pod(apiserver, name, f"{name}-web")
        reload = planned(name, action=Action.RELOAD)
        told: list[Event] = []
        side = around(reload, told=told)
        assert side.before([reload]) == {}
        assert told == [Message(text=f"{name}: not drained, for it only reloads")]
        assert cordon_of(apiserver, name) == (False, None)
        assert pods_on(apiserver, name) == {pod}

    def test_who_was_cordoned_before_is_emptied_and_stays_cordoned(
        self, around: Around, apiserver: RunningApiServer, name: str
    ) -> None:
        add_node(apiserver, name, cordoned=True)
        add_pod(apiserver, name, f"{name}-web")
        side = around(planned(name))
        assert side.not_canary == {name}
        with running_kubelet(apiserver, name):
            assert side.before([planned(name)]) == {}
        assert pods_on(apiserver, name) == set()
        side.after([ended(name)])
        side.end([ended(name)])
        assert cordon_of(apiserver, name) == (True, None)
        assert side.findings == ()

    def test_a_budget_that_allows_it_later_is_waited_for(
        self, around: Around, apiserver: RunningApiServer, name: str
    ) -> None:
        add_node(apiserver, name)
        add_pod(apiserver, name, f"{name}-web")
        add_budget(apiserver, f"{name}-web", allowed=0)
        told: list[Event] = []
        side = around(planned(name), told=told)
        scaled_up = threading.Timer(1.0, lambda: allow(apiserver, f"{name}-web", allowed=1))
        scaled_up.start()
        with running_kubelet(apiserver, name):
            assert side.before([planned(name)]) == {}
        scaled_up.join()
        assert pods_on(apiserver, name) == set()
        assert Message(text=f"{name}: cordoned, 1 pods to evict") in told

    def test_a_budget_that_never_allows_it_refuses_the_node(
        self, around: Around, apiserver: RunningApiServer, name: str
    ) -> None:
        add_node(apiserver, name)
        pod = add_pod(apiserver, name, f"{name}-web")
        budget = add_budget(apiserver, f"{name}-web", allowed=0)
        side = around(planned(name), deadlines=SHORT)
        result = side.before([planned(name)])[name]
        assert result.problem
        assert (result.outcome, result.problem.code) == (Outcome.REFUSED, "drain-blocked")
        assert pod in result.reason
        assert budget in result.reason
        assert cordon_of(apiserver, name) == (False, None)
        assert pods_on(apiserver, name) == {pod}

    def test_a_pod_that_does_not_end_refuses_the_node(
        self, around: Around, apiserver: RunningApiServer, name: str
    ) -> None:
        add_node(apiserver, name)
        pod = add_pod(apiserver, name, f"{name}-web")
        side = around(planned(name), deadlines=SHORT)
        result = side.before([planned(name)])[name]
        assert result.problem
        assert (result.outcome, result.problem.code) == (Outcome.REFUSED, "drain-timeout")
        assert pod in result.reason
        assert cordon_of(apiserver, name) == (False, None)

    def test_pods_that_nobody_would_start_anew_refuse_the_node_untouched(
        self, around: Around, apiserver: RunningApiServer, name: str
    ) -> None:
        add_node(apiserver, name)
        lonely = add_pod(apiserver, name, f"{name}-lonely", controller=None)
        add_pod(apiserver, name, f"{name}-web")
        before = apiserver.ask("GET", f"/api/v1/nodes/{name}")
        side = around(planned(name))
        result = side.before([planned(name)])[name]
        assert result.problem
        assert (result.outcome, result.problem.code) == (Outcome.REFUSED, "drain-unmanaged-pods")
        assert lonely in result.reason
        assert "-web" not in result.reason
        assert apiserver.ask("GET", f"/api/v1/nodes/{name}") == before

    def test_one_blocked_node_does_not_keep_its_neighbour(
        self, around: Around, apiserver: RunningApiServer, name: str
    ) -> None:
        other = f"{name}-b"
        for node in (name, other):
            add_node(apiserver, node)
            add_pod(apiserver, node, f"{node}-web")
        add_budget(apiserver, f"{name}-web", allowed=0)
        wave = [planned(name), planned(other)]
        side = around(*wave, deadlines=Deadlines(drain=5.0, ready=5.0))
        with running_kubelet(apiserver, other):
            assert set(side.before(wave)) == {name}
        assert cordon_of(apiserver, name) == (False, None)
        assert cordon_of(apiserver, other) == (True, RUN)

    def test_a_run_that_is_asked_to_stop_waits_no_longer(
        self, around: Around, apiserver: RunningApiServer, name: str
    ) -> None:
        add_node(apiserver, name)
        add_pod(apiserver, name, f"{name}-web")
        side = around(planned(name), stop=lambda: ExitCode.INTERRUPTED)
        result = side.before([planned(name)])[name]
        assert result.outcome is Outcome.SKIPPED
        assert cordon_of(apiserver, name) == (False, None)


class TestWhichNode:
    def test_it_is_found_by_the_address_that_it_is_reached_at(
        self, around: Around, apiserver: RunningApiServer, name: str
    ) -> None:
        add_node(apiserver, name, address=f"192.0.2.{next(NUMBERS)}9")
        address = apiserver.ask("GET", f"/api/v1/nodes/{name}")["status"]["addresses"][0]["address"]
        side = around(planned("called-otherwise", address=address))
        assert side.before([planned("called-otherwise", address=address)]) == {}
        assert cordon_of(apiserver, name) == (True, RUN)

    def test_one_that_the_cluster_has_not_is_refused(self, around: Around) -> None:
        side = around(planned("stranger"))
        problem = side.before([planned("stranger")])["stranger"].problem
        assert problem
        assert problem.code == "cluster-node-missing"
        assert "stranger" in problem.message

    def test_the_same_name_in_another_cluster_is_not_the_node(
        self, around: Around, apiserver: RunningApiServer, name: str
    ) -> None:
        add_node(apiserver, name, boot_id="theirs")
        side = around(planned(name, boot_id="ours"))
        problem = side.before([planned(name, boot_id="ours")])[name].problem
        assert problem
        assert problem.code == "cluster-node-mismatch"
        assert cordon_of(apiserver, name) == (False, None)


class TestAfterwards:
    @pytest.mark.parametrize("outcome", [Outcome.CHANGED, Outcome.ROLLED_BACK, Outcome.REFUSED, Outcome.FAILED])
    def test_a_node_whose_state_is_known_works_again(
        self, around: Around, apiserver: RunningApiServer, name: str, outcome: Outcome
    ) -> None:
        add_node(apiserver, name)
        side = around(planned(name))
        side.before([planned(name)])
        (result,) = side.after([ended(name, outcome)])
        assert result == ended(name, outcome)
        assert cordon_of(apiserver, name) == (False, None)

    @pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.ROLLBACK_FAILED])
    def test_a_node_that_may_be_broken_stays_cordoned_and_the_report_says_so(
        self, around: Around, apiserver: RunningApiServer, name: str, outcome: Outcome
    ) -> None:
        add_node(apiserver, name)
        side = around(planned(name))
        side.before([planned(name)])
        side.end(side.after([ended(name, outcome)]))
        assert cordon_of(apiserver, name) == (True, RUN)
        (finding,) = side.findings
        assert finding.code == "node-stays-cordoned"
        assert f"kubectl uncordon {name}" in finding.hint

    def test_a_run_that_is_broken_off_says_what_it_leaves(
        self, around: Around, apiserver: RunningApiServer, name: str
    ) -> None:
        add_node(apiserver, name)
        told: list[Event] = []
        side = around(planned(name), told=told)
        side.before([planned(name)])
        with pytest.raises(KeyboardInterrupt), side:
            raise KeyboardInterrupt
        assert any(f"kubectl uncordon {name}" in event.text for event in told if isinstance(event, Message))

    def test_what_a_killed_run_left_is_uncordoned_by_the_next(
        self, around: Around, apiserver: RunningApiServer, name: str
    ) -> None:
        unchanged, restarted, sick = name, f"{name}-b", f"{name}-c"
        for node in (unchanged, restarted, sick):
            add_node(apiserver, node, cordoned=True, annotations={CORDONED_BY: "killed-run"})
        side = around(*(planned(node) for node in (unchanged, restarted, sick)))
        assert side.before([planned(restarted)]) == {}
        assert cordon_of(apiserver, restarted) == (True, RUN)
        side.after([ended(restarted)])
        side.end([ended(unchanged, Outcome.UNCHANGED), ended(restarted), ended(sick, Outcome.UNREACHABLE)])
        assert cordon_of(apiserver, unchanged) == (False, None)
        assert cordon_of(apiserver, restarted) == (False, None)
        assert cordon_of(apiserver, sick) == (True, "killed-run")
        (finding,) = side.findings
        assert "killed-run" in finding.message
        assert f"kubectl uncordon {sick}" in finding.hint


@pytest.mark.parametrize("drain", [True, False])
class TestReady:
    def test_who_is_not_ready_again_in_time_has_failed(
        self, around: Around, apiserver: RunningApiServer, name: str, *, drain: bool
    ) -> None:
        add_node(apiserver, name)
        side = around(planned(name), drain=drain, deadlines=SHORT)
        side.before([planned(name)])
        set_ready(apiserver, name, ready=False)
        (result,) = side.after([ended(name)])
        side.end([result])
        assert result.problem
        assert (result.verified, result.problem.code) == (False, "node-not-ready")
        assert "NotReady" in result.reason
        assert cordon_of(apiserver, name) == ((True, RUN) if drain else (False, None))
        assert [finding.code for finding in side.findings] == (["node-stays-cordoned"] if drain else [])

    def test_a_node_that_becomes_ready_is_waited_for(
        self, around: Around, apiserver: RunningApiServer, name: str, *, drain: bool
    ) -> None:
        add_node(apiserver, name)
        side = around(planned(name), drain=drain)
        side.before([planned(name)])
        set_ready(apiserver, name, ready=False)
        back = threading.Timer(1.0, lambda: set_ready(apiserver, name, ready=True))
        back.start()
        assert side.after([ended(name)]) == [ended(name)]
        back.join()
        assert cordon_of(apiserver, name) == (False, None)

    def test_what_kubelet_said_before_the_restart_proves_nothing(
        self, around: Around, apiserver: RunningApiServer, name: str, *, drain: bool
    ) -> None:
        add_node(apiserver, name)
        renew_lease(apiserver, name)
        side = around(planned(name), drain=drain, deadlines=SHORT)
        side.before([planned(name)])
        (silent,) = side.after([ended(name)])
        assert silent.problem
        assert silent.problem.code == "node-not-ready"
        assert "silent" in silent.reason

        side = around(planned(name), drain=drain)
        side.before([planned(name)])
        with running_kubelet(apiserver, name, lease=True):
            assert side.after([ended(name)]) == [ended(name)]

    def test_who_was_not_ready_before_is_neither_canary_nor_waited_for(
        self, around: Around, apiserver: RunningApiServer, name: str, *, drain: bool
    ) -> None:
        add_node(apiserver, name, ready=False)
        side = around(planned(name), drain=drain, deadlines=SHORT)
        assert side.not_canary == {name}
        side.before([planned(name)])
        assert side.after([ended(name)]) == [ended(name)]


class TestRights:
    def test_what_is_missing_is_said_before_any_node_is_touched_and_the_manifest_grants_it(
        self, around: Around, apiserver: RunningApiServer, name: str
    ) -> None:
        add_node(apiserver, name)
        add_pod(apiserver, name, f"{name}-web")
        with pytest.raises(AgentError) as caught:
            around(planned(name), user="limited")
        problem = caught.value.problem
        assert problem.code == "cluster-forbidden"
        assert "needs verb list on nodes" in problem.message
        assert cordon_of(apiserver, name) == (False, None)

        manifest = problem.hint.partition("<<'END'\n")[2].removesuffix("END").replace("USER", "limited")
        for document in yaml.safe_load_all(manifest):
            plural = f"{document['kind'].lower()}s"
            apiserver.ask("POST", f"/apis/rbac.authorization.k8s.io/v1/{plural}", document)
        side = _granted(around, planned(name))
        with running_kubelet(apiserver, name):
            assert side.before([planned(name)]) == {}
        side.after([ended(name)])
        assert cordon_of(apiserver, name) == (False, None)
        for plural in ("clusterrolebindings", "clusterroles"):
            apiserver.ask("DELETE", f"/apis/rbac.authorization.k8s.io/v1/{plural}/harbor-agent-drain")

    def test_without_a_drain_the_rollout_goes_on_blind_and_says_so(self, around: Around, name: str) -> None:
        side = around(planned(name), user="limited", drain=False)
        assert side.before([planned(name)]) == {}
        assert side.after([ended(name)]) == [ended(name)]
        (finding,) = side.findings
        assert finding.code == "cluster-nodes-unseen"
        assert "needs verb list on nodes" in finding.message


def _granted(around: Around, node: PlannedNode) -> Surroundings:
    """Look around as soon as the server has taken in what was granted."""
    for _ in range(100):
        try:
            return around(node, user="limited")
        except AgentError as error:
            last = error
    raise last


class TestNoCluster:
    def test_one_that_is_away_ends_a_drain_before_it_begins(self, tmp_path: Path) -> None:
        kubeconfig = _kubeconfig(tmp_path)
        wish = ClusterSide(run_id=RUN, kubeconfig=kubeconfig, context=None, drain=True, listener=[].append)
        with pytest.raises(AgentError) as caught:
            look_around(wish, [planned("worker")])
        assert caught.value.problem.code == "cluster-unreachable"

    def test_one_that_is_away_blinds_a_rollout_and_does_not_stop_it(self, tmp_path: Path) -> None:
        kubeconfig = _kubeconfig(tmp_path)
        wish = ClusterSide(run_id=RUN, kubeconfig=kubeconfig, context=None, drain=False, listener=[].append)
        with look_around(wish, [planned("worker")]) as side:
            assert side.not_canary == frozenset()
            assert side.before([planned("worker")]) == {}
            assert [finding.code for finding in side.findings] == ["cluster-nodes-unseen"]

    def test_a_kubeconfig_that_is_not_there_blinds_a_rollout_too(self, tmp_path: Path) -> None:
        nowhere = str(tmp_path / "none")
        wish = ClusterSide(run_id=RUN, kubeconfig=nowhere, context=None, drain=False, listener=[].append)
        (finding,) = look_around(wish, [planned("worker")]).findings
        assert finding.code == "cluster-nodes-unseen"
        assert nowhere in finding.message

    def test_a_kubeconfig_that_is_not_there_ends_a_drain(self, tmp_path: Path) -> None:
        wish = ClusterSide(run_id=RUN, kubeconfig=str(tmp_path / "none"), context=None, drain=True, listener=[].append)
        with pytest.raises(UsageError):
            look_around(wish, [planned("worker")])


def _kubeconfig(folder: Path) -> str:
    path = folder / "kubeconfig"
    document = {
        "current-context": "it",
        "clusters": [{"name": "it", "cluster": {"server": f"http://127.0.0.1:{free_port()}"}}],
        "users": [{"name": "it", "user": {"token": "any"}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
    }
    path.write_text(yaml.safe_dump(document))
    return str(path)
