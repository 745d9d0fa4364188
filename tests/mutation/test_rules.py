"""Every rule of docs/reference/rules.md is held by some test: without its branch, one fails.

Its text is left out as its module is imported (absent_rule.py), and the quick tests of planning and formats run.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
RULES: dict[str, dict[str, str]] = {
    facts["rule"]: facts for facts in yaml.safe_load(Path(__file__).with_name("rules.yaml").read_text(encoding="utf-8"))
}
TESTS = {
    "SD": ("tests/unit/planning/docker/test_kept_units.py", "tests/unit/planning/docker/test_effective.py"),
    "DD": (
        "tests/unit/planning/docker/test_plan.py",
        "tests/unit/planning/docker/test_routes.py",
        "tests/unit/planning/docker/test_refusals.py",
        "tests/unit/planning/docker/test_removal.py",
        "tests/unit/planning/docker/test_live_restore.py",
        "tests/unit/planning/docker/test_cases.py",
        "tests/unit/planning/docker/checks",
        "tests/unit/formats/docker/test_arguments.py",
        "tests/unit/planning/test_trust_store.py",
    ),
    "RC": (
        "tests/unit/planning/containers_image/test_plan.py",
        "tests/unit/planning/containers_image/test_reading.py",
        "tests/unit/planning/containers_image/test_kept_files.py",
        "tests/unit/planning/containers_image/test_live.py",
    ),
    "CD": (
        "tests/unit/planning/containerd/test_cases.py",
        "tests/unit/planning/containerd/test_certificates.py",
        "tests/unit/planning/containerd/test_live.py",
        "tests/unit/formats/containerd/test_hosts.py",
    ),
    "KR": (
        "tests/unit/planning/containerd/k3s/test_cases.py",
        "tests/unit/planning/containerd/k3s/test_running.py",
    ),
}
PARALLEL = 2
_PYTEST = (
    "-q",
    "-x",
    "--no-header",
    "--tb=no",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:randomly",
    "-p",
    "tests.mutation.absent_rule",
)


@pytest.fixture(scope="module")
def survivors() -> dict[str, str]:
    """Give the rules that no test missed, with what pytest said."""
    whole = run("", tuple(path for paths in TESTS.values() for path in paths))
    assert whole.returncode == 0, whole.stdout
    with ThreadPoolExecutor(PARALLEL) as pool:
        said = dict(zip(RULES, pool.map(without, RULES), strict=True))
    return {rule: text for rule, text in said.items() if text}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("rule", RULES)
def test_some_test_fails_without_the_rule(survivors: dict[str, str], rule: str) -> None:
    assert rule not in survivors, survivors[rule]


def without(rule: str) -> str:
    """Run the tests without the rule; return what was said where none failed."""
    own, others = TESTS[rule[:2]], [path for one, paths in TESTS.items() if one != rule[:2] for path in paths]
    first = run(rule, own)
    second = first if first.returncode == 1 else run(rule, tuple(others))
    return "" if 1 in (first.returncode, second.returncode) else first.stdout + second.stdout + second.stderr


def run(absent: str, tests: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ABSENT_RULE": absent, "PYTEST_ADDOPTS": ""}
    argv = [sys.executable, "-m", "pytest", *_PYTEST, *tests]
    return subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300)
