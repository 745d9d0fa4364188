"""The command as a user runs it: a process of its own, in a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

SCHEMAS = Path(__file__).resolve().parents[3] / "docs/schemas"


@dataclass(frozen=True, kw_only=True)
class Ran:
    rc: int
    out: str
    err: str

    def document(self) -> dict[str, object]:
        """Return the JSON document that was printed, checked against its own schema."""
        document = json.loads(self.out)
        name = document["schema"].removeprefix("harbor-agent/").replace("/", "-")
        schema = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
        Draft202012Validator(schema).validate(document)
        return document


Runner = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path) -> Runner:
    def start(*arguments: str, stdin: str = "", **environment: str) -> Ran:
        inherited = {
            k: v for k, v in os.environ.items() if k not in {"KUBECONFIG", "NO_COLOR", "PYTHONDONTWRITEBYTECODE"}
        }
        done = subprocess.run(
            [sys.executable, "-m", "harbor_agent.cli", *arguments],
            input=stdin.encode(),
            capture_output=True,
            cwd=tmp_path,
            env=inherited | {"PYTHONPATH": str(SCHEMAS.parents[1] / "agent")} | environment,
            timeout=60,
            check=False,
        )
        out, err = (stream.decode(errors="replace") for stream in (done.stdout, done.stderr))
        return Ran(rc=done.returncode, out=out, err=err)

    return start


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A node of Debian's docker.io, unpacked."""
    root = tmp_path / "tree"
    unit = root / "lib/systemd/system/docker.service"
    unit.parent.mkdir(parents=True)
    unit.write_text(
        "[Unit]\nDescription=Docker Application Container Engine\n\n[Service]\nType=notify\n"
        "EnvironmentFile=-/etc/default/docker\n"
        "ExecStart=/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS\n"
        "ExecReload=/bin/kill -s HUP $MAINPID\n"
    )
    (root / "etc").mkdir()
    return root
