"""The Ansible collection, built and installed as a user installs a file: without a network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from harbor_agent import resources

NAME = "harbor_agent.nodes"
SOURCE = resources.find_playbook("collections/ansible_collections") / NAME.replace(".", "/")
BIN = Path(sys.executable).parent


def install_collection(folder: Path) -> Path:
    """Build the collection and install it below `folder`; return the folder for ANSIBLE_COLLECTIONS_PATH."""
    galaxy = [str(BIN / "ansible-galaxy"), "collection"]
    installed = folder / "collections"
    installed.mkdir()
    # A place that Ansible does not know is a warning of ansible-galaxy.
    environment = {**os.environ, "HOME": str(folder), "ANSIBLE_COLLECTIONS_PATH": str(installed)}

    def run(*arguments: str) -> None:
        done = subprocess.run(
            [*galaxy, *arguments], capture_output=True, text=True, timeout=120, env=environment, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "WARNING" not in done.stderr, done.stderr

    run("build", "--output-path", str(folder), str(SOURCE))
    (archive,) = folder.glob("*.tar.gz")
    run("install", "--offline", "-p", str(installed), str(archive))
    return installed
