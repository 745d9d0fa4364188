"""CoreDNS's own parser of Corefiles: Debian's golang-github-coredns-caddy-dev, built with golang-go."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.needs import corefile_parser_source

if TYPE_CHECKING:
    from collections.abc import Iterable

_PROGRAM = Path(__file__).with_suffix(".go")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the parser made of one Corefile: its blocks, or the error."""

    error: str
    blocks: list[tuple[list[str], dict[str, list[str]]]]


def build_parser(folder: Path) -> Path:
    """Build the program in `folder`, in a second or two."""
    program = folder / "parse-corefile"
    environment = {
        "PATH": os.environ["PATH"],
        "GO111MODULE": "off",
        "GOPATH": str(corefile_parser_source()),
        "GOCACHE": str(folder / "cache"),
        "CGO_ENABLED": "0",
    }
    subprocess.run(["go", "build", "-o", str(program), str(_PROGRAM)], check=True, env=environment, cwd=folder)
    return program


def ask_parser(program: Path, corefiles: Iterable[tuple[Path, str]]) -> list[Answer]:
    """Parse each text as the Corefile of a folder, in which its imports are looked for; variables are empty."""
    asked = json.dumps([{"folder": str(folder), "text": text} for folder, text in corefiles])
    done = subprocess.run([str(program)], input=asked.encode(), stdout=subprocess.PIPE, check=True, env={}, timeout=120)
    return [
        Answer(
            error=answer["Error"],
            blocks=[(block["Keys"], block["Directives"]) for block in answer["Blocks"] or []],
        )
        for answer in json.loads(done.stdout)
    ]
