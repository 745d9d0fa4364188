"""The newest release of Ansible that is accepted reads inventories and carries programs as the others do.

It needs a later Python than harbor-agent does, so the tests run again in the environment of `make python-3.13`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.needs import PYTHON_3_13

ROOT = Path(__file__).resolve().parents[2]
ABOUT_ANSIBLE = ("test_inventory_like_ansible.py", "ansible/test_transport.py")
VERSION = "import importlib.metadata; print(importlib.metadata.version('ansible-core'))"

pytestmark = [
    pytest.mark.needs("python3.13"),
    pytest.mark.skipif(sys.version_info >= (3, 13), reason="this is such a Python"),
    pytest.mark.timeout(600),
]


def read_bound() -> int:
    """The first minor release of Ansible 2 that is not accepted."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (line,) = [line for line in project["dependencies"] if line.startswith("ansible-core")]
    found = re.search(r"<2\.(\d+)$", line)
    assert found, line
    return int(found[1])


def test_the_bound_is_right_above_the_release_that_is_tried() -> None:
    version = subprocess.run([PYTHON_3_13, "-c", VERSION], capture_output=True, text=True, check=True).stdout
    assert version.startswith(f"2.{read_bound() - 1}.")


def test_inventories_and_the_transport_are_as_with_other_releases() -> None:
    tests = [f"tests/transport/{name}" for name in ABOUT_ANSIBLE]
    argv = [str(PYTHON_3_13), "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(argv, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False, timeout=580)
    assert done.returncode == 0, done.stdout + done.stderr
