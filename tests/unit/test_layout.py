"""The tree says where things are: small folders, one sentence for each room, no module that is three screens long.

import-linter holds what may import what (pyproject.toml); here is what it cannot see, and that its contracts still name
something: a contract over an empty package is kept without a sound.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harbor_agent.planning.node import RUNTIMES

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "agent/harbor_agent"
FOLDERS = sorted(
    path
    for path in (PACKAGE, *PACKAGE.rglob("*"))
    if (path.is_dir() and any(path.glob("*.py"))) or any(path.glob("*.sh"))
)
MODULES = sorted(PACKAGE.rglob("*.py"))
LEAST_FOLDERS, LEAST_MODULES, LEAST_CONTRACTS = 35, 200, 8
MOST_MODULES, MOST_LINES, MOST_WITH_ONE_PREFIX = 15, 260, 2
# To be split.
TOO_LONG = {
    "planning/docker/effective.py",
    "planning/docker/plan.py",
}


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.suffix in (".py", ".sh") and not path.stem.startswith("__")]


def test_the_tree_is_found() -> None:
    assert len(FOLDERS) >= LEAST_FOLDERS
    assert len(MODULES) >= LEAST_MODULES


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_a_folder_is_read_at_a_glance(folder: Path) -> None:
    names = [path.stem for path in files_in(folder)]
    assert len(names) <= MOST_MODULES
    ends = Counter(
        word for name in names if "_" in name for word in {f"{name.split('_')[0]}_…", f"…_{name.split('_')[-1]}"}
    )
    assert [end for end, count in ends.items() if count > MOST_WITH_ONE_PREFIX] == []


@pytest.mark.parametrize("folder", [folder for folder in FOLDERS if any(folder.glob("*.py"))], ids=name_of)
def test_a_room_says_its_rule_in_one_sentence(folder: Path) -> None:
    docstring = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
    assert re.fullmatch(r"[^\n]+\.", docstring)
    assert ". " not in docstring


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_a_module_fits_three_screens(module: Path) -> None:
    if name_of(module) not in TOO_LONG:
        assert len(module.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def contracts() -> list[dict[str, object]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found = settings["tool"]["importlinter"]["contracts"]
    assert isinstance(found, list)
    return found


def named_modules(contract: dict[str, object]) -> Iterator[str]:
    """The modules of ours that a contract is about, in full."""
    containers = contract.get("containers", [])
    assert isinstance(containers, list)
    for key, value in contract.items():
        if not isinstance(value, list) or key in ("ignore_imports", "exhaustive_ignores"):
            continue
        for entry in value:
            names = [name.strip() for name in str(entry).replace(":", "|").split("|")]
            if key == "layers":
                yield from (f"{container}.{name}" for container in containers for name in names)
            else:
                yield from (name for name in names if name.split(".")[0] == "harbor_agent")


@pytest.mark.parametrize("contract", contracts(), ids=lambda contract: contract["name"])
def test_a_contract_names_modules_that_exist(contract: dict[str, object]) -> None:
    named = list(named_modules(contract))
    assert named
    for name in named:
        path = ROOT / "agent" / name.replace(".", "/")
        assert path.with_suffix(".py").is_file() or any(files_in(path)) or any(path.glob("*/*.py")), name


def test_every_runtime_family_is_protected_from_the_others() -> None:
    """A protected module is imported by allowed_importers only, so also by no other family."""
    lists = [contract["protected_modules"] for contract in contracts() if contract["type"] == "protected"]
    protected = {module for modules in lists if isinstance(modules, list) for module in modules}
    # a runtime is a module, or an object that one makes
    modules = {getattr(runtime, "__name__", type(runtime).__module__) for runtime in RUNTIMES}
    # k3s and RKE2 are a room of containerd's family
    families = {".".join(module.split(".")[:3]) for module in modules}
    states = {f"harbor_agent.model.runtimes.{path.stem}" for path in files_in(PACKAGE / "model/runtimes")}
    assert families
    assert states
    assert protected >= families | states


def test_there_are_contracts() -> None:
    assert len(contracts()) >= LEAST_CONTRACTS
