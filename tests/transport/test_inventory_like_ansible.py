"""Awkward inventories: this tool connects to each host exactly like `ansible`. One folder each."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.transport.ansible_calls import Way, split, ways_of_ansible, without_fields

INVENTORIES = Path(__file__).resolve().parents[1] / "inventories"
CASES = sorted(path.parent.name for path in INVENTORIES.glob("*/case.yaml"))
OURS = """
import json, sys
from harbor_agent.model.inventory import VaultSources
from harbor_agent.inventory.load import load_inventory

asked = json.load(sys.stdin)
vault = VaultSources(ids=tuple(asked["vault_ids"]), password_files=tuple(asked["vault_password_files"]))
nodes = load_inventory(asked["sources"], limit=asked["limit"], vault=vault)

def text(secret):
    return secret and secret.reveal()

print(json.dumps([
    {
        "name": node.name,
        "connection": node.connection,
        "address": node.address,
        "port": node.port,
        "user": node.user,
        "key": node.private_key_file,
        "password": text(node.password),
        "arguments": node.ssh_common_args,
        "become": node.become and node.become.method,
        "become_password": text(node.become and node.become.password),
    }
    for node in nodes
]))
"""


def ways_of_ours(folder: Path, case: dict[str, Any], environment: dict[str, str]) -> dict[str, Way]:
    done = subprocess.run(
        [sys.executable, "-c", OURS],
        cwd=folder,
        env=environment,
        input=json.dumps(case),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = [node for node in json.loads(done.stdout) if node.pop("connection") == "ssh"]
    return {
        node.pop("name"): Way(
            **{
                **node,
                "key": node["key"] and node["key"].replace("~", environment["HOME"]),
                "arguments": tuple(without_fields(split(node["arguments"]))),
            }
        )
        for node in found
    }


@pytest.mark.parametrize("name", CASES)
def test_every_host_is_reached_as_ansible_reaches_it(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    shutil.copytree(INVENTORIES / name, folder)
    case = {"sources": [], "limit": None, "vault_ids": [], "vault_password_files": [], "environment": {}}
    case |= yaml.safe_load((folder / "case.yaml").read_text(encoding="utf-8"))
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: os.environ[name] for name in ("PATH",)}
    environment = {**kept, "HOME": str(home), "LC_ALL": "C.UTF-8", **case["environment"]}
    options = [word for source in case["sources"] for word in ("-i", source)]
    options += ["--limit", case["limit"]] if case["limit"] else []
    options += [word for identity in case["vault_ids"] for word in ("--vault-id", identity)]
    options += [word for file in case["vault_password_files"] for word in ("--vault-password-file", file)]

    ours = ways_of_ours(folder, case, environment)

    assert ours == ways_of_ansible(folder, tmp_path, options, environment)


def test_there_are_inventories_to_compare() -> None:
    assert {"layers", "become", "configured", "dynamic", "vaulted"} <= set(CASES)
