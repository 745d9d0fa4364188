"""A service as a set of files that systemd reads, made of pieces so that what fails can be cut down."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harbor_agent.formats.text import encode
from harbor_agent.model.daemon import UnitState
from harbor_agent.model.runtimes.docker import DockerState
from harbor_agent.model.state import FileKind, FileState, NodeState, System
from harbor_agent.planning.docker.effective import evaluate
from harbor_agent.planning.refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LINK = "-> "
DIRECTORY = "(directory)"
# In paths and texts, what stands for the number that a case gets when it is run.
NUMBER = "@N@"
UNIT = f"c{NUMBER}-x.service"
PREFIX_LEVEL = f"c{NUMBER}-.service"
# A folder of the case's own: its programs and environment files.
FOLDER = f"/c/{NUMBER}"
# What the generated variables are called: everything else in an environment is the manager's.
# In every case, for a start that waits until the service has ended: it could be looked at too early.
ONESHOT = (f"/etc/systemd/system/{UNIT}.d/zzz-type.conf", ("[Service]\nType=oneshot\n",))
# The recorder sees the simplified path of its program, whatever name it is given.
_SLASHES = re.compile("/+")
NAMES = ("A", "B", "DOCKER_OPTS", "_x1")


@dataclass(frozen=True, order=True)
class Case:
    """The files, each as the pieces of its text; one piece `-> TARGET` is a link, `(directory)` a directory."""

    files: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def size(self) -> tuple[int, int]:
        return sum(len(pieces) for _, pieces in self.files), sum(len("".join(pieces)) for _, pieces in self.files)

    def smaller(self) -> Iterator[Case]:
        """Yield the cases with one file or one piece less."""
        for index, (path, pieces) in enumerate(self.files):
            if (path, pieces) == ONESHOT:
                continue
            yield Case((*self.files[:index], *self.files[index + 1 :]))
            if len(pieces) > 1:
                for at in range(len(pieces)):
                    rest = (path, (*pieces[:at], *pieces[at + 1 :]))
                    yield Case((*self.files[:index], rest, *self.files[index + 1 :]))

    def numbered(self, number: int) -> dict[str, str]:
        """Return path and text of each file, the number filled in."""
        own = f"{number:04}"
        return {path.replace(NUMBER, own): "".join(pieces).replace(NUMBER, own) for path, pieces in self.files}


@dataclass(frozen=True)
class Outcome:
    """What became of a case: why it does not run, or what it runs with.

    `argv` and `environment` are bytes as text of the same length; drop-ins are those that are read, in order.
    """

    state: str
    fragment: str = ""
    drop_ins: tuple[str, ...] = ()
    argv: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()


def predicted(files: Mapping[str, str], number: int, systemd_version: str) -> tuple[Outcome, str]:
    """Return what the planner expects of the numbered files, and the words of its refusal."""
    name = UNIT.replace(NUMBER, f"{number:04}")
    state = NodeState(
        system=System(init="systemd", systemd_version=systemd_version, privileged=True),
        runtimes=(DockerState(unit=UnitState(name=name)),),
        files={path: file_state(path, text) for path, text in files.items()},
    )
    try:
        effective = evaluate(state)
    except RefusedError as refused:
        return Outcome(state=refused.problem.code), str(refused)
    outcome = Outcome(
        state="runs",
        fragment=effective.unit.fragment,
        drop_ins=effective.unit.drop_ins,
        argv=(_SLASHES.sub("/", effective.command.program), *(one.text for one in effective.arguments[1:])),
        environment=tuple(sorted((name, value) for name, value in effective.environment.items() if name in NAMES)),
    )
    return outcome, ""


def file_state(path: str, text: str) -> FileState:
    """Return the file as a probe finds it."""
    if text.startswith(LINK):
        return FileState(path=path, kind=FileKind.SYMLINK, link_target=text.removeprefix(LINK), mode=0o777)
    if text == DIRECTORY:
        return FileState(path=path, kind=FileKind.DIRECTORY, mode=0o755)
    return FileState(path=path, kind=FileKind.REGULAR, content=encode(text), mode=0o644)


def disagreement(case: Case, number: int, real: Outcome, systemd_version: str) -> str:
    """Return how the planner differs from what systemd did, "" where it does not.

    A refusal may be about what the planner does not want to know; what it does predict must be so.
    """
    files = case.numbered(number)
    expected, words = predicted(files, number, systemd_version)
    match expected.state:
        case "runs" if real.state == "does-not-run" and expected.argv[0] not in _programs(number):
            return ""  # there is no such program
        case "runs":
            read = tuple(path for path in real.drop_ins if not files[path].startswith((LINK, DIRECTORY)))
            real = replace(real, drop_ins=read)
            return "" if expected == real else f"expected {expected}\n     got {real}"
        case "file-symlinked" | "file-not-regular":
            return ""
        case "unit-missing" | "unit-masked" as state:
            agrees = real.state == state
        case "unit-invalid":
            # nothing at all, not even a name: systemd starts it with what memory holds there
            agrees = real.state in ("invalid", "does-not-run") or "comes to nothing" in words
        case "environment-file-missing":
            agrees = real.state == "does-not-run"
        case "file-invalid":
            agrees = True  # systemd goes on without the rest of a drop-in, and without a broken file
        case _:
            agrees = False
    return "" if agrees else f"expected {expected.state} ({words})\n     got {real}"


def _programs(number: int) -> tuple[str, ...]:
    return tuple(f"{FOLDER}/{name}".replace(NUMBER, f"{number:04}") for name in ("dockerd", "dockerd-latest"))
