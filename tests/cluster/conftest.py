"""Real registries and a real API server, each started once for all tests here."""

from __future__ import annotations

import itertools
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.rollout.kubernetes_hooks import HookOptions, connect_hooks
from harbor_agent.kubernetes.cluster import open_cluster
from tests.cluster.rollouts import PATIENT, RUN
from tests.lab.apiserver import running_apiserver
from tests.lab.registry import Login, running_registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harbor_agent.engine.events import Event
    from harbor_agent.engine.plan.nodes import PlannedNode
    from harbor_agent.kubernetes.cluster import Cluster
    from tests.cluster.rollouts import Around
    from tests.lab.apiserver import RunningApiServer
    from tests.lab.registry import RunningRegistry

ROBOT = Login(name="robot$shop+puller", password="pa$$w'ö\"rd", pull=("shop/*",))


@pytest.fixture(scope="session")
def apiserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApiServer]:
    with running_apiserver(tmp_path_factory.mktemp("apiserver")) as server:
        yield server


@pytest.fixture(scope="session")
def harbor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    """Token authentication; shop/web:1 is private, library/pause:3.9 public."""
    directory = tmp_path_factory.mktemp("harbor")
    with running_registry(directory, authentication="token", logins=[ROBOT], public=["library/*"]) as registry:
        registry.push("shop/web", "1")
        registry.push("secret/plans", "1")
        registry.push("library/pause", "3.9")
        yield registry


@pytest.fixture(scope="session")
def htpasswd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with running_registry(tmp_path_factory.mktemp("basic"), authentication="htpasswd", logins=[ROBOT]) as registry:
        registry.push("shop/web", "1")
        yield registry


@pytest.fixture(scope="session")
def open_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with running_registry(tmp_path_factory.mktemp("open")) as registry:
        registry.push("library/pause", "3.9")
        yield registry


_NUMBERS = itertools.count(1)


@pytest.fixture
def namespace(apiserver: RunningApiServer) -> str:
    """A namespace of the test's own, with the service account `default`."""
    return apiserver.create_namespace(f"team-{next(_NUMBERS)}", "default")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def grant(apiserver: RunningApiServer, namespace: str) -> Callable[..., None]:
    """Give the limited user verbs on a resource in the test's namespace."""
    return lambda resource, *verbs: apiserver.grant(namespace, resource, verbs)


@pytest.fixture
def name() -> str:
    """A node's name of the test's own."""
    return f"worker-{next(_NUMBERS)}"


@pytest.fixture
def around(apiserver: RunningApiServer) -> Iterator[Around]:
    """Look around for nodes, with a drain unless told otherwise."""
    with ExitStack() as stack:

        def look(*nodes: PlannedNode, user: str = "admin", told: list[Event] | None = None, **side: object) -> object:
            kubeconfig = str(apiserver.kubeconfig(user))
            listener = (told if told is not None else []).append
            wish = HookOptions(
                run_id=RUN, kubeconfig=kubeconfig, context=None, drain=True, listener=listener, deadlines=PATIENT
            )
            return stack.enter_context(connect_hooks(replace(wish, **side), nodes))

        yield look


@pytest.fixture
def cluster(apiserver: RunningApiServer) -> Iterator[Cluster]:
    with open_cluster(str(apiserver.kubeconfig())) as opened:
        yield opened


@pytest.fixture
def limited(apiserver: RunningApiServer) -> Iterator[Cluster]:
    """The cluster as a user sees it who has no rights but those that the test grants."""
    with open_cluster(str(apiserver.kubeconfig("limited"))) as opened:
        yield opened


@pytest.fixture
def no_default_kubeconfig(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def team() -> str:
    """A label that only this test's namespaces have."""
    return f"t{next(_NUMBERS)}"
