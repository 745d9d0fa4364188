"""A booted node's systemd as the judge: it loads and starts hundreds of services at once, each of a case's files."""

from __future__ import annotations

import io
import re
import shutil
import tarfile
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harbor_agent.formats.text import decode, encode
from tests.oracle.case import DIRECTORY, FOLDER, LINK, NAMES, NUMBER, UNIT, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.lab.node import LabNode
    from tests.oracle.case import Case

# Stands in for dockerd: what it was started with, and its environment, into a file beside it.
_RECORDER = """#!/bin/sh
exec >"$0.seen"
cat /proc/$$/cmdline /c/mark /proc/$$/environ
"""
_MARK = "\0--mark--\0"
_SHOWN = "-p LoadState -p FragmentPath -p DropInPaths -p ExecStart"
_STATES = {"not-found": "unit-missing", "masked": "unit-masked", "bad-setting": "invalid", "error": "invalid"}
_COMMANDS = re.compile(r"^ExecStart={", re.MULTILINE)
_BLOCKS = re.compile(r"\n\n(?=[A-Z])")


class Systemd:
    """The service manager of a lab node; cases never meet, each has a number of its own."""

    def __init__(self, node: LabNode) -> None:
        self.node = node
        self.version = node.run("systemctl --version").stdout.split()[1]
        self._next = 1
        folder = node.root / "c"
        folder.mkdir()
        (folder / "recorder").write_text(_RECORDER)
        (folder / "recorder").chmod(0o755)
        (folder / "mark").write_text(_MARK)

    def number(self, count: int) -> range:
        """Return numbers that no case has had yet."""
        first, self._next = self._next, self._next + count
        return range(first, self._next)

    def run(self, cases: Mapping[int, Case]) -> dict[int, Outcome]:
        """Load and start all of the cases, and return what systemd made of each."""
        paths: set[str] = set()
        volatile: dict[str, str] = {}
        for number, case in cases.items():
            folder = FOLDER.replace(NUMBER, f"{number:04}")
            files = {f"{folder}/{name}": f"{LINK}/c/recorder" for name in ("dockerd", "dockerd-latest")}
            files |= case.numbered(number)
            paths |= {_top(path) for path in files}
            volatile |= {path: text for path, text in files.items() if path.startswith("/run/")}
            for path, text in files.items():
                if path not in volatile:
                    _write(self.node.root / path.lstrip("/"), text)
        self.node.run("tar -x -C /", stdin=_archive(volatile))
        names = " ".join(UNIT.replace(NUMBER, f"{number:04}") for number in cases)
        shown = self.node.run(f"systemctl daemon-reload; systemctl show {_SHOWN} {names}", timeout=120).stdout
        self.node.run(f"systemctl start {names}", check=False, timeout=300)
        blocks = _BLOCKS.split(shown.strip())
        outcomes = {number: self._outcome(number, block) for number, block in zip(cases, blocks, strict=True)}
        self._remove(paths, names)
        return outcomes

    def _outcome(self, number: int, block: str) -> Outcome:
        shown = dict(_pairs(block))
        if shown["LoadState"] != "loaded":
            return Outcome(state=_STATES[shown["LoadState"]])
        folder = self.node.root / "c" / f"{number:04}"
        seen = [path for path in (folder / "dockerd.seen", folder / "dockerd-latest.seen") if path.exists()]
        loaded = Outcome(
            state="does-not-run" if len(_COMMANDS.findall(block)) == 1 else "invalid",
            fragment=_merged(shown["FragmentPath"]),
            drop_ins=tuple(_merged(path) for path in shown["DropInPaths"].split()),
        )
        if loaded.state == "invalid" or not seen:
            return loaded
        command, _, environment = decode(seen[0].read_bytes()).partition(_MARK)
        variables = (one.partition("=") for one in environment.split("\0"))
        return replace(
            loaded,
            state="runs",
            # the first word is the shell that runs the recorder
            argv=tuple(command.removesuffix("\0").split("\0")[1:]),
            environment=tuple(sorted((name, value) for name, _, value in variables if name in NAMES)),
        )

    def _remove(self, paths: set[str], names: str) -> None:
        for path in paths:
            if path.startswith("/run/"):
                continue
            target = self.node.root / path.lstrip("/")
            if target.is_dir() and not target.is_symlink():
                shutil.rmtree(target)
            else:
                target.unlink(missing_ok=True)
        volatile = " ".join(path for path in paths if path.startswith("/run/"))
        self.node.run(f"rm -rf {volatile}; systemctl reset-failed {names}", check=False)


def _top(path: str) -> str:
    """Return what to remove so that nothing of the case is left: the file, its .d folder or the case's own."""
    parents = PurePosixPath(path).parents
    if path.startswith("/c/"):
        return str(PurePosixPath(*PurePosixPath(path).parts[:3]))
    return str(parents[0]) if parents[0].suffix == ".d" else path


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if text.startswith(LINK):
        path.symlink_to(text.removeprefix(LINK))
    elif text == DIRECTORY:
        path.mkdir()
    else:
        path.write_bytes(encode(text))


def _archive(files: Mapping[str, str]) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path, text in files.items():
            member = tarfile.TarInfo(path.lstrip("/"))
            member.mode = 0o644
            content = b""
            if text.startswith(LINK):
                member.type, member.linkname = tarfile.SYMTYPE, text.removeprefix(LINK)
            elif text == DIRECTORY:
                member.type, member.mode = tarfile.DIRTYPE, 0o755
            else:
                content = encode(text)
                member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return archive.getvalue()


def _pairs(block: str) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (line.partition("=") for line in block.split("\n"))]


def _merged(path: str) -> str:
    return f"/usr{path}" if path.startswith("/lib/") else path
