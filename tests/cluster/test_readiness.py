"""Readiness after a wave, on a real API server: which nodes are Ready, stay cordoned, or are waited for."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.events import Message
from harbor_agent.kubernetes.nodes import CORDONED_BY
from harbor_agent.model.result import Outcome
from tests.cluster.rollouts import RUN, SHORT, cordon_of, ended, planned
from tests.lab.kubelet import add_node, renew_lease, running_kubelet, set_ready

if TYPE_CHECKING:
    from harbor_agent.engine.events import Event
    from tests.cluster.rollouts import Around
    from tests.lab.apiserver import RunningApiServer

pytestmark = pytest.mark.needs("apiserver")


class TestAfterwards:
    @pytest.mark.parametrize("outcome", [Outcome.CHANGED, Outcome.ROLLED_BACK, Outcome.REFUSED, Outcome.FAILED])
    def test_a_node_whose_state_is_known_works_again(
        self, around: Around, apiserver: RunningApiServer, name: str, outcome: Outcome
    ) -> None:
        add_node(apiserver, name)
        side = around(planned(name))
        side.before_wave([planned(name)])
        (result,) = side.after_wave([ended(name, outcome)])
        assert result == ended(name, outcome)
        assert cordon_of(apiserver, name) == (False, None)

    @pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.ROLLBACK_FAILED])
    def test_a_node_that_may_be_broken_stays_cordoned_and_the_report_says_so(
        self, around: Around, apiserver: RunningApiServer, name: str, outcome: Outcome
    ) -> None:
        add_node(apiserver, name)
        side = around(planned(name))
        side.before_wave([planned(name)])
        side.finish(side.after_wave([ended(name, outcome)]))
        assert cordon_of(apiserver, name) == (True, RUN)
        (warning,) = side.warnings
        assert warning.code == "node-stays-cordoned"
        assert f"kubectl uncordon {name}" in warning.hint

    def test_a_run_that_is_broken_off_says_what_it_leaves(
        self, around: Around, apiserver: RunningApiServer, name: str
    ) -> None:
        add_node(apiserver, name)
        told: list[Event] = []
        side = around(planned(name), told=told)
        side.before_wave([planned(name)])
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
        assert side.before_wave([planned(restarted)]) == {}
        assert cordon_of(apiserver, restarted) == (True, RUN)
        side.after_wave([ended(restarted)])
        side.finish([ended(unchanged, Outcome.UNCHANGED), ended(restarted), ended(sick, Outcome.UNREACHABLE)])
        assert cordon_of(apiserver, unchanged) == (False, None)
        assert cordon_of(apiserver, restarted) == (False, None)
        assert cordon_of(apiserver, sick) == (True, "killed-run")
        (warning,) = side.warnings
        assert "killed-run" in warning.message
        assert f"kubectl uncordon {sick}" in warning.hint


@pytest.mark.parametrize("drain", [True, False])
class TestReady:
    @pytest.mark.parametrize("runtime", ["docker", "containerd"])
    def test_who_is_not_ready_again_in_time_has_failed(
        self, around: Around, apiserver: RunningApiServer, name: str, runtime: str, *, drain: bool
    ) -> None:
        add_node(apiserver, name)
        node = planned(name, runtime=runtime)
        side = around(node, drain=drain, deadlines=SHORT)
        side.before_wave([node])
        set_ready(apiserver, name, ready=False)
        (result,) = side.after_wave([ended(name)])
        side.finish([result])
        assert result.problem
        assert (result.verified, result.problem.code) == (False, "node-not-ready")
        assert "NotReady" in result.reason
        assert cordon_of(apiserver, name) == ((True, RUN) if drain else (False, None))
        assert [warning.code for warning in side.warnings] == (["node-stays-cordoned"] if drain else [])

    def test_a_node_that_becomes_ready_is_waited_for(
        self, around: Around, apiserver: RunningApiServer, name: str, *, drain: bool
    ) -> None:
        add_node(apiserver, name)
        side = around(planned(name), drain=drain)
        side.before_wave([planned(name)])
        set_ready(apiserver, name, ready=False)
        back = threading.Timer(1.0, lambda: set_ready(apiserver, name, ready=True))
        back.start()
        assert side.after_wave([ended(name)]) == [ended(name)]
        back.join()
        assert cordon_of(apiserver, name) == (False, None)

    def test_what_kubelet_said_before_the_restart_proves_nothing(
        self, around: Around, apiserver: RunningApiServer, name: str, *, drain: bool
    ) -> None:
        add_node(apiserver, name)
        renew_lease(apiserver, name)
        side = around(planned(name), drain=drain, deadlines=SHORT)
        side.before_wave([planned(name)])
        (silent,) = side.after_wave([ended(name)])
        assert silent.problem
        assert silent.problem.code == "node-not-ready"
        assert "its kubelet does not report" in silent.reason

        side = around(planned(name), drain=drain)
        side.before_wave([planned(name)])
        with running_kubelet(apiserver, name, lease=True):
            assert side.after_wave([ended(name)]) == [ended(name)]

    def test_who_was_not_ready_before_is_neither_canary_nor_waited_for(
        self, around: Around, apiserver: RunningApiServer, name: str, *, drain: bool
    ) -> None:
        add_node(apiserver, name, ready=False)
        side = around(planned(name), drain=drain, deadlines=SHORT)
        assert side.unfit_for_canary == {name}
        side.before_wave([planned(name)])
        assert side.after_wave([ended(name)]) == [ended(name)]
