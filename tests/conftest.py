"""What every test shares: the `needs` marker, and the count of what was skipped."""

from __future__ import annotations

import signal
from pathlib import PurePath
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from tests.field import build_table, note_case
from tests.lab.files import explain
from tests.needs import missing, required

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter
    from xdist.remote import Producer

# How long an example takes is a fact about the machine, which others may keep busy.
settings.register_profile("busy", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

# Folders whose tests share what takes long to start.
_SHARED = ("cluster", "e2e", "faults", "lab", "transport")
# Modules of another folder that share booted nodes.
_WITH_NODES = "tests/node/test_containerd_"


class _ByWhatTheyShare(LoadScopeScheduling):
    """One worker runs all tests of such a folder or modules; elsewhere, all tests of a module."""

    def _split_scope(self, nodeid: str) -> str:
        path = PurePath(nodeid.partition("::")[0])
        is_shared = path.parts[1] in _SHARED or str(path).startswith(_WITH_NODES)
        return str(path.parent if is_shared else path)


def pytest_configure(config: pytest.Config) -> None:
    # What is started in the background of a script ignores Ctrl-C, and so would all that the tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "needs(*names): what the test needs of the machine (tests/needs.py)")
    config.addinivalue_line("markers", "field(case): rebuilds a case that was found in the field (make field)")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    return _ByWhatTheyShare(config, log)


def pytest_runtest_setup(item: pytest.Item) -> None:
    note_case(item)
    for marker in item.iter_markers("needs"):
        for need in marker.args:
            reason = missing(need)
            if reason and need in required():
                pytest.fail(f"HARBOR_AGENT_REQUIRE asks for {need}: {reason}", pytrace=False)
            if reason:
                pytest.skip(reason)


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    return explain(left, right) if op == "==" else None


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    if terminalreporter.config.getoption("markexpr") == "field":
        # A module that cannot be collected has a report of another type; pytest shows the error.
        results = [
            report
            for key in ("passed", "failed", "skipped", "error")
            for report in terminalreporter.getreports(key)
            if isinstance(report, pytest.TestReport)
        ]
        for line in build_table(results):
            terminalreporter.write_line(line)
    skipped = len(terminalreporter.stats.get("skipped", []))
    terminalreporter.write_line(f"skipped: {skipped}" + (" (the reasons are above)" if skipped else ""))
