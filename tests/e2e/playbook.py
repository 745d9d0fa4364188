"""A playbook as a user runs it who never starts harbor-agent."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from harbor_agent import resources
from tests.e2e.site import PULLER
from tests.shipping.collection import BIN

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.e2e.site import Site


def playbook(
    site: Site, inventory: Path, settings: Path, *arguments: str, name: str | Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a playbook, by default the file site.yml."""
    argv = [
        str(BIN / "ansible-playbook"),
        *("-i", str(inventory), str(name or resources.find_playbook("site.yml"))),
        *("-e", json.dumps({"harbor_agent_config": str(settings)})),
        *arguments,
    ]
    return site.lab.run(argv, cwd=site.lab.home, env=environment())


def environment() -> dict[str, str]:
    """Return what a shell needs to start Ansible, with the password of `PULLER`."""
    return {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "HARBOR_PASSWORD": PULLER.password}
