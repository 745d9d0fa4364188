"""Every rule of docs/reference/rules.md is held by some test: without its branch, one fails.

Each rule's text is left out in a copy of the package, and the quick tests of planning and formats run against it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
RULES: dict[str, dict[str, str]] = {
    facts["rule"]: facts for facts in yaml.safe_load(Path(__file__).with_name("rules.yaml").read_text(encoding="utf-8"))
}
TESTS = {
    "SD": ("tests/unit/planning/docker/test_kept_units.py", "tests/unit/planning/docker/test_effective.py"),
    "DD": (
        "tests/unit/planning/docker/test_plan.py",
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
_PYTEST = ("-q", "-x", "--no-header", "--tb=no", "-p", "no:cacheprovider", "-p", "no:randomly")


@pytest.fixture(scope="module")
def survivors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Give the rules that no test missed, with what pytest said."""
    folder = tmp_path_factory.mktemp("mutants")
    assert run(copy(folder / "original"), tuple(path for paths in TESTS.values() for path in paths)).returncode == 0
    with ThreadPoolExecutor(PARALLEL) as pool:
        said = dict(zip(RULES, pool.map(lambda rule: without(folder, rule), RULES), strict=True))
    yield {rule: text for rule, text in said.items() if text}
    shutil.rmtree(folder)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("rule", RULES)
def test_some_test_fails_without_the_rule(survivors: dict[str, str], rule: str) -> None:
    assert rule not in survivors, survivors[rule]


def without(folder: Path, rule: str) -> str:
    """Run the tests against the package without the rule; return what was said where none failed."""
    facts = RULES[rule]
    package = copy(folder / rule)
    path = package / facts["file"]
    path.write_text(path.read_text(encoding="utf-8").replace(facts["old"], facts["new"]), encoding="utf-8")
    compile(path.read_text(encoding="utf-8"), str(path), "exec")
    own, others = TESTS[rule[:2]], [path for one, paths in TESTS.items() if one != rule[:2] for path in paths]
    first = run(package, own)
    second = first if first.returncode == 1 else run(package, tuple(others))
    shutil.rmtree(package)
    return "" if 1 in (first.returncode, second.returncode) else first.stdout + second.stdout + second.stderr


def copy(folder: Path) -> Path:
    shutil.copytree(ROOT / "agent", folder / "agent", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def run(package: Path, tests: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "pytest", *_PYTEST, "-o", f"pythonpath={package / 'agent'} {ROOT}", *tests]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTEST_ADDOPTS": ""}
    return subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300)
