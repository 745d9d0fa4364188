"""What persons applied: the scopes of pull secrets, in the history of this controller.

A correction writes no secret beyond them (docs/decisions/0021).
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from harbor_agent.engine.history.database import Database, HistoryError
from harbor_agent.model.secret import Namespaces, SecretForm, SecretScope

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Sequence

    from harbor_agent.errors import Problem

_ADD = """
    INSERT INTO secret_scope (server, registry, name, namespaces, form, username, run, applied)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_DELETE = "DELETE FROM secret_scope WHERE server = ? AND registry = ? AND name = ? AND namespaces = ?"
_LIST = "SELECT * FROM secret_scope WHERE server = ? AND registry = ? AND name = ? ORDER BY number DESC"


class ScopeLog(Database):
    """The scopes. Every method raises HistoryError (`history-unusable`)."""

    def remember(self, scopes: Sequence[SecretScope]) -> None:
        """Write scopes, each in place of an earlier one for the same namespaces."""
        with self.translate_errors(), self.write_all_or_nothing():
            for scope in scopes:
                self._delete(scope)
                self._add(scope)

    def list_scopes(self, server: str, registry: str, name: str) -> list[SecretScope]:
        """Return the scopes of one secret in one cluster, newest first."""
        with self.translate_errors():
            return [_parse(row) for row in self.connection.execute(_LIST, (server, registry, name))]

    def forget(self, scopes: Sequence[SecretScope], selection: Namespaces, removed: Collection[str]) -> None:
        """Delete the scopes with this selection, and leave the namespaces `removed` out of the others."""
        with self.translate_errors(), self.write_all_or_nothing():
            for scope in reversed(scopes):
                left = scope.namespaces.without(removed)
                self._delete(scope)
                if scope.namespaces != selection and (left.names or left.selector):
                    self._add(replace(scope, namespaces=left))

    def _delete(self, scope: SecretScope) -> None:
        self.connection.execute(_DELETE, (scope.server, scope.registry, scope.name, _encode(scope.namespaces)))

    def _add(self, scope: SecretScope) -> None:
        values = (scope.server, scope.registry, scope.name, _encode(scope.namespaces), _encode(scope.form))
        self.connection.execute(_ADD, (*values, scope.username, scope.run_id, scope.applied))


def remember_scopes(scopes: Sequence[SecretScope], *, run_id: str = "") -> list[Problem]:
    """Remember what a person applied, in this run or outside of any; return why that failed, if it did."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        with ScopeLog() as log:
            log.remember([replace(scope, run_id=run_id, applied=now) for scope in scopes])
            return [log.moved_aside] if log.moved_aside else []
    except HistoryError as error:
        return [error.problem]


def forget_scopes(
    server: str, registry: str, name: str, selection: Namespaces, removed: Collection[str]
) -> list[Problem]:
    """Forget that a person applied a secret to these namespaces; return why that failed, if it did."""
    try:
        with ScopeLog() as log:
            log.forget(log.list_scopes(server, registry, name), selection, removed)
    except HistoryError as error:
        return [error.problem]
    return []


def _encode(value: Namespaces | SecretForm) -> str:
    return json.dumps(asdict(value), sort_keys=True)


def _parse(row: sqlite3.Row) -> SecretScope:
    namespaces, form = json.loads(row["namespaces"]), json.loads(row["form"])
    return SecretScope(
        server=row["server"],
        registry=row["registry"],
        name=row["name"],
        namespaces=Namespaces(
            names=tuple(namespaces["names"]),
            selector=namespaces["selector"],
            excluded=tuple(namespaces["excluded"]),
        ),
        form=SecretForm(
            url=form["url"],
            key_form=form["key_form"],
            service_accounts=tuple(form["service_accounts"]),
            force_insecure=form["force_insecure"],
        ),
        username=row["username"],
        run_id=row["run"],
        applied=row["applied"],
    )
