"""The demo where no node can be booted: the same planner on file system trees of nodes, with --root."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.shapes import write_shape
from tests.lab.stage import Stage, say, scene

if TYPE_CHECKING:
    from tests.lab.shapes import Shape

_REGISTRY = "192.168.0.99"
_SHAPES: tuple[Shape, ...] = ("kubespray", "docker-ce", "kubekey")


def show() -> None:
    """Plan, apply and plan again on one tree of each shape. Raises UnexpectedError where a step goes wrong."""
    with tempfile.TemporaryDirectory(prefix="harbor-agent-demo-") as name:
        stage = Stage(folder=Path(name))
        for shape in _SHAPES:
            scene(f"The files of a node as {shape} leaves them")
            (stage.folder / shape).mkdir()
            write_shape(stage.folder / shape, shape)
            target = ("--root", shape, "--registry", _REGISTRY, "--assume-docker-version", "20.10.24")
            stage.agent("plan", *target, "--exit-code", expect=3)
            stage.agent("apply", *target, "--yes")
            say("\nWhat is planned now?")
            stage.agent("plan", *target, "--exit-code", expect=0)
