"""Drains on a real API server: which nodes are emptied, what blocks a drain, and which rights it needs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
import yaml

from harbor_agent.engine.events import Message
from harbor_agent.engine.rollout.kubernetes_hooks import Deadlines, HookOptions, connect_hooks
from harbor_agent.errors import AgentError, ExitCode, UsageError
from harbor_agent.model.plan import Action
from harbor_agent.model.result import Outcome
from tests.cluster.answering import free_port
from tests.cluster.rollouts import RUN, SHORT, cordon_of, ended, planned
from tests.lab.kubelet import add_budget, add_node, add_pod, allow, pods_on, running_kubelet

if TYPE_CHECKING:
    from pathlib import Path

    from harbor_agent.engine.events import Event
    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.engine.rollout.hooks import RolloutHooks
    from tests.cluster.rollouts import Around
    from tests.lab.apiserver import RunningApiServer

pytestmark = pytest.mark.needs("apiserver")


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
            assert side.before_wave([planned(name)]) == {}
        assert pods_on(apiserver, name) == stays
        assert cordon_of(apiserver, name) == (True, RUN)
        result = ended(name)
        assert side.after_wave([result]) == [result]
        assert cordon_of(apiserver, name) == (False, None)
        side.finish([result])
        assert side.warnings == ()

    def test_a_reload_disturbs_no_pod(self, around: Around, apiserver: RunningApiServer, name: str) -> None:
        add_node(apiserver, name)
        pod = add_pod(apiserver, name, f"{name}-web")
        reload = planned(name, action=Action.RELOAD)
        told: list[Event] = []
        side = around(reload, told=told)
        assert side.before_wave([reload]) == {}
        assert told == [Message(text=f"{name}: not drained, because its daemon is only reloaded")]
        assert cordon_of(apiserver, name) == (False, None)
        assert pods_on(apiserver, name) == {pod}

    def test_who_was_cordoned_before_is_emptied_and_stays_cordoned(
        self, around: Around, apiserver: RunningApiServer, name: str
    ) -> None:
        add_node(apiserver, name, cordoned=True)
        add_pod(apiserver, name, f"{name}-web")
        side = around(planned(name))
        assert side.unfit_for_canary == {name}
        with running_kubelet(apiserver, name):
            assert side.before_wave([planned(name)]) == {}
        assert pods_on(apiserver, name) == set()
        side.after_wave([ended(name)])
        side.finish([ended(name)])
        assert cordon_of(apiserver, name) == (True, None)
        assert side.warnings == ()

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
            assert side.before_wave([planned(name)]) == {}
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
        result = side.before_wave([planned(name)])[name]
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
        result = side.before_wave([planned(name)])[name]
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
        result = side.before_wave([planned(name)])[name]
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
            assert set(side.before_wave(wave)) == {name}
        assert cordon_of(apiserver, name) == (False, None)
        assert cordon_of(apiserver, other) == (True, RUN)

    def test_a_run_that_is_asked_to_stop_waits_no_longer(
        self, around: Around, apiserver: RunningApiServer, name: str
    ) -> None:
        add_node(apiserver, name)
        add_pod(apiserver, name, f"{name}-web")
        side = around(planned(name), stop=lambda: ExitCode.INTERRUPTED)
        result = side.before_wave([planned(name)])[name]
        assert result.outcome is Outcome.SKIPPED
        assert cordon_of(apiserver, name) == (False, None)


class TestWhichNode:
    def test_it_is_found_by_the_address_that_it_is_reached_at(
        self, around: Around, apiserver: RunningApiServer, name: str
    ) -> None:
        add_node(apiserver, name, address="192.0.2.9")
        address = apiserver.ask("GET", f"/api/v1/nodes/{name}")["status"]["addresses"][0]["address"]
        side = around(planned("called-otherwise", address=address))
        assert side.before_wave([planned("called-otherwise", address=address)]) == {}
        assert cordon_of(apiserver, name) == (True, RUN)

    def test_one_that_the_cluster_has_not_is_refused(self, around: Around) -> None:
        side = around(planned("stranger"))
        problem = side.before_wave([planned("stranger")])["stranger"].problem
        assert problem
        assert problem.code == "cluster-node-missing"
        assert "stranger" in problem.message

    def test_the_same_name_in_another_cluster_is_not_the_node(
        self, around: Around, apiserver: RunningApiServer, name: str
    ) -> None:
        add_node(apiserver, name, boot_id="theirs")
        side = around(planned(name, boot_id="ours"))
        problem = side.before_wave([planned(name, boot_id="ours")])[name].problem
        assert problem
        assert problem.code == "cluster-node-mismatch"
        assert cordon_of(apiserver, name) == (False, None)


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
        assert "is not allowed to list nodes" in problem.message
        assert cordon_of(apiserver, name) == (False, None)

        manifest = problem.hint.partition("<<'END'\n")[2].removesuffix("END").replace("USER", "limited")
        for document in yaml.safe_load_all(manifest):
            plural = f"{document['kind'].lower()}s"
            apiserver.ask("POST", f"/apis/rbac.authorization.k8s.io/v1/{plural}", document)
        side = _granted(around, planned(name))
        with running_kubelet(apiserver, name):
            assert side.before_wave([planned(name)]) == {}
        side.after_wave([ended(name)])
        assert cordon_of(apiserver, name) == (False, None)
        for plural in ("clusterrolebindings", "clusterroles"):
            apiserver.ask("DELETE", f"/apis/rbac.authorization.k8s.io/v1/{plural}/harbor-agent-drain")

    def test_without_a_drain_the_rollout_goes_on_blind_and_says_so(self, around: Around, name: str) -> None:
        side = around(planned(name), user="limited", drain=False)
        assert side.before_wave([planned(name)]) == {}
        assert side.after_wave([ended(name)]) == [ended(name)]
        (warning,) = side.warnings
        assert warning.code == "cluster-nodes-unseen"
        assert "is not allowed to list nodes" in warning.message


def _granted(around: Around, node: PlannedNode) -> RolloutHooks:
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
        wish = HookOptions(run_id=RUN, kubeconfig=kubeconfig, context=None, drain=True, listener=[].append)
        with pytest.raises(AgentError) as caught:
            connect_hooks(wish, [planned("worker")])
        assert caught.value.problem.code == "cluster-unreachable"

    def test_one_that_is_away_blinds_a_rollout_and_does_not_stop_it(self, tmp_path: Path) -> None:
        kubeconfig = _kubeconfig(tmp_path)
        wish = HookOptions(run_id=RUN, kubeconfig=kubeconfig, context=None, drain=False, listener=[].append)
        with connect_hooks(wish, [planned("worker")]) as side:
            assert side.unfit_for_canary == frozenset()
            assert side.before_wave([planned("worker")]) == {}
            assert [warning.code for warning in side.warnings] == ["cluster-nodes-unseen"]

    def test_a_kubeconfig_that_is_not_there_blinds_a_rollout_too(self, tmp_path: Path) -> None:
        nowhere = str(tmp_path / "none")
        wish = HookOptions(run_id=RUN, kubeconfig=nowhere, context=None, drain=False, listener=[].append)
        (warning,) = connect_hooks(wish, [planned("worker")]).warnings
        assert warning.code == "cluster-nodes-unseen"
        assert nowhere in warning.message

    def test_a_kubeconfig_that_is_not_there_ends_a_drain(self, tmp_path: Path) -> None:
        wish = HookOptions(run_id=RUN, kubeconfig=str(tmp_path / "none"), context=None, drain=True, listener=[].append)
        with pytest.raises(UsageError):
            connect_hooks(wish, [planned("worker")])


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
