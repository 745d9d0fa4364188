"""The project's own scripts are clean shell."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

_PROJECT = Path(__file__).parents[2]


@pytest.mark.needs("shellcheck")
@pytest.mark.parametrize(
    "script",
    [
        ".ci/run",
        ".ci/bundle/install.sh",
        ".ci/standalone/harbor-agent",
        "tests/lab/packages.sh",
        "tests/lab/corefile_parser.sh",
        "tests/lab/k0s_stand_in.sh",
        "tests/lab/rancher_stand_in.sh",
        "tests/lab/start_kubelet.sh",
    ],
)
def test_shellcheck_finds_nothing(script: str) -> None:
    done = subprocess.run(["shellcheck", script], cwd=_PROJECT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
