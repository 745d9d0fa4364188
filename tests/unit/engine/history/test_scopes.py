"""What persons applied: one scope for each selection, newest first, and nothing of what was removed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.history.database import find_history_file
from harbor_agent.engine.history.scopes import ScopeLog, forget_scopes, remember_scopes
from harbor_agent.model.secret import Namespaces, SecretForm, SecretScope

if TYPE_CHECKING:
    from pathlib import Path

SERVER, ENTRY, NAME = "https://10.0.0.1:6443", "harbor.lan", "harbor-pull"
FORM = SecretForm(url="http://harbor.lan", key_form="kubesphere", service_accounts=("default",))
BY_LABEL = Namespaces(names=("tools",), selector="team=shop", excluded=("shop-test",))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def scope(namespaces: Namespaces, *, username: str = "robot$pull") -> SecretScope:
    return SecretScope(server=SERVER, registry=ENTRY, name=NAME, namespaces=namespaces, form=FORM, username=username)


def listed(server: str = SERVER) -> list[tuple[Namespaces, str, str]]:
    with ScopeLog() as log:
        return [(one.namespaces, one.username, one.run_id) for one in log.list_scopes(server, ENTRY, NAME)]


def test_a_scope_is_read_as_it_was_written() -> None:
    assert remember_scopes([scope(BY_LABEL)], run_id="run-1") == []
    with ScopeLog() as log:
        (found,) = log.list_scopes(SERVER, ENTRY, NAME)
    assert replace(found, applied="") == replace(scope(BY_LABEL), run_id="run-1")
    assert found.applied
    assert listed("https://another:6443") == []


def test_a_selection_is_known_once_and_the_newest_comes_first() -> None:
    named = Namespaces(names=("a",))
    remember_scopes([scope(BY_LABEL)], run_id="run-1")
    remember_scopes([scope(named)])
    remember_scopes([scope(BY_LABEL, username="robot$new")], run_id="run-3")
    assert listed() == [(BY_LABEL, "robot$new", "run-3"), (named, "robot$pull", "")]


def test_what_is_removed_is_in_no_scope_any_more() -> None:
    remember_scopes([scope(Namespaces(names=("a", "b")))], run_id="run-1")
    remember_scopes([scope(BY_LABEL)], run_id="run-2")
    forget_scopes(SERVER, ENTRY, NAME, Namespaces(names=("a", "tools")), ["a", "tools"])
    without = Namespaces(selector="team=shop", excluded=("shop-test", "a", "tools"))
    assert listed() == [(without, "robot$pull", "run-2"), (Namespaces(names=("b",)), "robot$pull", "run-1")]
    # a selection is forgotten with its selector, or a later namespace would get the secret again
    forget_scopes(SERVER, ENTRY, NAME, without, ["shop"])
    forget_scopes(SERVER, ENTRY, NAME, Namespaces(names=("b",)), ["b"])
    assert listed() == []


def test_an_unusable_history_is_a_warning() -> None:
    find_history_file().parent.mkdir(parents=True, exist_ok=True)
    find_history_file().mkdir()
    (problem,) = remember_scopes([scope(BY_LABEL)])
    assert problem.code == "history-unusable"
    assert [one.code for one in forget_scopes(SERVER, ENTRY, NAME, BY_LABEL, [])] == ["history-unusable"]
