"""execution-environment.yml is one that ansible-builder accepts, and it takes what the project builds."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from harbor_agent import __version__
from tests.shipping.collection import BIN

ROOT = Path(__file__).resolve().parents[2]
DEFINITION = ".ci/image/execution-environment.yml"


def create(checkout: Path) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / "ansible-builder"), "create", "--file", DEFINITION, "--context", "context"]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=60, check=False)


def test_ansible_builder_creates_the_context_with_package_and_collection(tmp_path: Path) -> None:
    built = {f"harbor_node_agent-{__version__}-py3-none-any.whl", f"harbor_agent-nodes-{__version__}.tar.gz"}
    (tmp_path / DEFINITION).parent.mkdir(parents=True)
    (tmp_path / "dist").mkdir()
    shutil.copy(ROOT / DEFINITION, tmp_path / DEFINITION)
    for name in built:
        (tmp_path / "dist" / name).touch()

    created = create(tmp_path)

    assert created.returncode == 0, created.stdout + created.stderr
    assert {path.name for path in (tmp_path / "context/_build/dist").iterdir()} == built
    (tmp_path / DEFINITION).write_text((ROOT / DEFINITION).read_text(encoding="utf-8") + "unknown: true\n", "utf-8")
    assert create(tmp_path).returncode != 0
