"""The ways to install that the READMEs show: in the order of ease, with files that the project builds."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
READMES = ("README.md", "README.zh.md")
WAYS = ("make standalone", "make image", "pipx install", "make bundle")
INSTALLER = "/install.sh"


def section(name: str) -> str:
    """Return what is between the first heading and the second: Install."""
    return (ROOT / name).read_text(encoding="utf-8").split("\n## ")[1]


def commands(name: str) -> str:
    return "".join(re.findall(r"^```sh\n(.*?)^```$", section(name), re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("name", READMES)
def test_the_easiest_way_is_the_first(name: str) -> None:
    shown = commands(name)
    assert shown.startswith(WAYS[0])
    places = [shown.index(way) for way in WAYS]
    assert places == sorted(places)
    assert "uv tool install" in shown


@pytest.mark.parametrize("name", READMES)
def test_every_target_is_in_the_makefile(name: str) -> None:
    targets = re.findall(r"\bmake ([\w-]+)", section(name))
    made = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert made
    assert set(targets) >= {"standalone", "image", "bundle", "release"}
    assert set(targets) <= set(made[1].split())


@pytest.mark.parametrize("name", READMES)
def test_every_file_is_one_of_a_release(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / ".ci/release"))
    from contents import FILES  # type: ignore[import-not-found] # noqa: PLC0415 - beside the build that uses it

    built = {target: pattern.format("0.1.0").replace("*", "x") for target, pattern in FILES.items()}
    named = [word.removeprefix("dist/") for word in commands(name).split() if "*" in word]
    archives = [word for word in named if not word.endswith(INSTALLER)]
    found = [[target for target, file in built.items() if fnmatch.fnmatchcase(file, word)] for word in archives]
    assert found == [["standalone"], ["image"], ["bundle"]]
    (installer,) = set(named) - set(archives)
    assert fnmatch.fnmatchcase(built["bundle"].removesuffix(".tar.gz") + INSTALLER, installer)
    assert (ROOT / f".ci/bundle{INSTALLER}").is_file()
