"""A machine that lacks something of what Python usually has: an error with the way out, and no traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Runner

# As a Python that was built without SQLite; and directories of the system of which none is writable.
NO_SQLITE = "raise ModuleNotFoundError(\"No module named '_sqlite3'\", name='_sqlite3')\n"
READ_ONLY = "import tempfile\ntempfile._candidate_tempdir_list = lambda: ['/nonexistent']\n"


def test_without_sqlite_a_run_goes_on_and_only_the_history_is_refused(run: Runner, tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    (library / "sqlite3.py").write_text(NO_SQLITE)
    node = ("-i", "127.0.0.1:1,", "--registry", "192.168.0.99", "-o", "json")

    history = run("history", "-o", "json", PYTHONPATH=str(library))
    drift = run("drift", *node, PYTHONPATH=str(library))
    applied = run("apply", *node, "--yes", "--allow-unreachable-registry", PYTHONPATH=str(library))

    assert (history.rc, history.document()["error"]["code"]) == (2, "history-unusable")
    assert drift.rc == applied.rc == 4, "the node is unreachable"
    (warning,) = applied.document()["warnings"]
    assert warning["code"] == "history-unusable"
    assert "was built without SQLite" in warning["message"]


def test_without_a_directory_for_temporary_files_no_inventory_is_read(run: Runner, tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    (library / "sitecustomize.py").write_text(READ_ONLY)

    ended = run("plan", "-i", "127.0.0.1,", "--registry", "h.lan", "-o", "json", PYTHONPATH=str(library))

    assert (ended.rc, ended.document()["error"]["code"]) == (2, "temporary-directory-missing")
    assert "'/nonexistent'" in ended.document()["error"]["message"]
    assert "--tmpfs /tmp" in ended.err
