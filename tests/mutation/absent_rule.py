"""A pytest plugin: one module of the package is imported without a rule, which `ABSENT_RULE` names as in rules.yaml."""

from __future__ import annotations

import os
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder, SourceFileLoader
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import CodeType

_RULES = yaml.safe_load(Path(__file__).with_name("rules.yaml").read_text(encoding="utf-8"))
_PACKAGE = Path(__file__).resolve().parents[2] / "agent"


class _Loader(SourceFileLoader):
    """Compiles the module without the rule, and neither reads nor writes byte code of it."""

    def __init__(self, name: str, path: str, facts: dict[str, str]) -> None:
        super().__init__(name, path)
        self._facts = facts

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - called by the import system
        text = Path(self.path).read_text(encoding="utf-8")
        return compile(text.replace(self._facts["old"], self._facts["new"]), self.path, "exec", dont_inherit=True)


class _Finder(MetaPathFinder):
    def __init__(self, facts: dict[str, str]) -> None:
        self._facts = facts
        self._path = Path(facts["file"]).relative_to("agent")

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: object = None,  # noqa: ARG002 - called by the import system
    ) -> ModuleSpec | None:
        parts = self._path.with_suffix("").parts
        if fullname != ".".join(part for part in parts if part != "__init__"):
            return None
        spec = PathFinder.find_spec(fullname, path)
        assert spec is not None
        assert spec.origin == str(_PACKAGE / self._path)
        spec.loader = _Loader(fullname, spec.origin, self._facts)
        return spec


if wanted := os.environ.get("ABSENT_RULE"):
    sys.meta_path.insert(0, _Finder(next(facts for facts in _RULES if facts["rule"] == wanted)))
