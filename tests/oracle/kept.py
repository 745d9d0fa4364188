"""Cases that were once wrong, or show a rule, with what systemd was seen to do with them (kept.yaml)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from tests.oracle.case import NUMBER, Case

if TYPE_CHECKING:
    from tests.oracle.case import Outcome

VERSIONS = ("252", "257")


@dataclass(frozen=True)
class Kept:
    """A case, and what is to come of it: the state, and the arguments and variables where it runs."""

    about: str
    case: Case
    state: str
    argv: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    versions: tuple[str, ...]

    def matches(self, outcome: Outcome, number: int) -> bool:
        """Whether the outcome, of the planner or of systemd, is the one recorded."""
        if self.state != "runs":
            return outcome.state == self.state
        own = f"{number:04}"
        argv = tuple(argument.replace(NUMBER, own) for argument in self.argv)
        environment = tuple((name, value.replace(NUMBER, own)) for name, value in self.environment)
        return (outcome.state, outcome.argv, outcome.environment) == ("runs", argv, environment)


def as_kept(case: Case) -> dict[str, object]:
    """Return the case as it is written down, without what comes of it."""
    return {"about": "", "files": {path: "".join(pieces) for path, pieces in case.files}}


def _kept(facts: dict[str, object]) -> Kept:
    files = facts["files"]
    assert isinstance(files, dict)
    environment = facts.get("environment", {})
    assert isinstance(environment, dict)
    return Kept(
        about=str(facts["about"]),
        case=Case(tuple((path, (text,)) for path, text in files.items())),
        state=str(facts.get("state", "runs")),
        argv=tuple(map(str, facts.get("argv", ()))),  # type: ignore[call-overload]
        environment=tuple(sorted((name, str(value)) for name, value in environment.items())),
        versions=tuple(facts.get("systemd", VERSIONS)),  # type: ignore[arg-type]
    )


KEPT = [_kept(facts) for facts in yaml.safe_load(Path(__file__).with_name("kept.yaml").read_text(encoding="utf-8"))]
