"""Ansible's library prints nothing and leaves no files, in any locale."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.inventory.loading import Write

SCRIPT = "import sys; from harbor_agent.inventory.load import load_inventory; load_inventory(sys.argv[1:])"


@pytest.mark.parametrize("locale", ["C", "POSIX", "zh_CN.GBK", "C.UTF-8"])
@pytest.mark.parametrize("utf8_mode", ["0", "1"])
def test_in_any_locale_nothing_is_printed_or_left(write: Write, tmp_path: Path, locale: str, utf8_mode: str) -> None:
    hosts = write("hosts", "[kube_node]\na harbor_skip=维护中\nkube_node\n")
    home = tmp_path / "home"
    home.mkdir()
    environment = {**os.environ, "LC_ALL": locale, "HOME": str(home), "PYTHONUTF8": utf8_mode, "TMPDIR": str(home)}

    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, hosts], env=environment, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(home.iterdir()) == []
