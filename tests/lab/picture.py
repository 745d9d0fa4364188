"""`make picture`: docs/images/plan.svg, the screen of a terminal after a real plan of a sample tree."""

from __future__ import annotations

import io
import re
import sys
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from rich.color import ANSI_COLOR_NAMES
from rich.console import Console
from rich.style import Style
from rich.text import Text

from tests.screen import emulate, show

if TYPE_CHECKING:
    from pyte.screens import Char

    from tests.screen import Shown

PICTURE = Path(__file__).resolve().parents[2] / "docs/images/plan.svg"
ROOT = "/tmp/node1"
COMMAND = ("plan", "--root", ROOT, "--registry", "192.168.0.99")
COLUMNS = 100
UNIT = """\
[Unit]
Description=Docker Application Container Engine

[Service]
Type=notify
EnvironmentFile=-/etc/default/docker
ExecStart=/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock $DOCKER_OPTS
ExecReload=/bin/kill -s HUP $MAINPID
"""
OPTIONS = """\
# Docker
DOCKER_OPTS="--log-driver=json-file --log-opt max-size=100m --log-opt max-file=3 --storage-driver=overlay2 \
--data-root=/var/lib/docker --insecure-registry=harbor.corp.example.com:5000"
"""
# Without the fonts that rich's own template loads from the network.
TEMPLATE_FONTS = re.compile(r"@font-face \{.*?\}\n?", re.DOTALL)


def run_plan() -> Shown:
    """Run the real command on a sample tree, which is called /tmp/node1 on the screen."""
    with TemporaryDirectory() as folder:
        for name, content in (("lib/systemd/system/docker.service", UNIT), ("etc/default/docker", OPTIONS)):
            path = Path(folder, name)
            path.parent.mkdir(parents=True)
            path.write_text(content, encoding="utf-8")
        command = (folder if word == ROOT else word for word in COMMAND)
        shown = show([sys.executable, "-m", "harbor_agent.cli", *command], COLUMNS)
    return replace(shown, screen=emulate(shown.written.replace(folder.encode(), ROOT.encode()), COLUMNS))


def draw(shown: Shown) -> str:
    """Return the command and the screen after it as an SVG."""
    console = Console(record=True, file=io.StringIO(), width=COLUMNS, force_terminal=True, color_system="standard")
    console.print(Text(f"$ harbor-agent {' '.join(COMMAND)}", style="bold"))
    for row in range(len(shown.lines)):
        cells = [shown.screen.buffer[row][column] for column in range(COLUMNS)]
        line = Text(no_wrap=True)
        for style, run in groupby(cells, key=_find_style):
            line.append("".join(cell.data for cell in run), style)
        line.rstrip()
        console.print(line, crop=False)
    svg = console.export_svg(title="harbor-agent", unique_id="plan")
    return "".join(f"{part.rstrip()}\n" for part in TEMPLATE_FONTS.sub("", svg).splitlines())


def _find_style(cell: Char) -> Style:
    color = cell.fg.replace("brown", "yellow")
    return Style(color=color if color in ANSI_COLOR_NAMES else None, bold=cell.bold, reverse=cell.reverse)


if __name__ == "__main__":
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(draw(run_plan()), encoding="utf-8")
    sys.stdout.write(f"{PICTURE}\n")
