"""Where templates/, playbooks/, runbooks and the node programs are, in an editable install and in a wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _folder(name: str, in_checkout: str = "") -> Path:
    """Return the folder `name`: inside the package in a wheel, beside it (or at `in_checkout`) in a checkout."""
    packed = _PACKAGE / "data" / name
    return packed if packed.is_dir() else _PACKAGE.parents[1] / (in_checkout or name)


def template(name: str) -> str:
    """Return the text of templates/`name` (UTF-8). Raises FileNotFoundError where there is none."""
    return (_folder("templates") / name).read_text(encoding="utf-8")


def playbook(name: str) -> Path:
    """Return the path of playbooks/`name`."""
    return _folder("playbooks") / name


def runbook_codes() -> tuple[str, ...]:
    """Return every problem code that has a page, sorted."""
    return tuple(sorted(page.stem for page in _runbooks("zh").glob("*.md")))


def runbook(code: str, language: str) -> str:
    """Return the page about a problem code, Markdown, in `language`: "en" or "zh".

    Raises FileNotFoundError where there is none.
    """
    return (_runbooks(language) / f"{code}.md").read_text(encoding="utf-8")


def _runbooks(language: str) -> Path:
    english = _folder("runbooks", "docs/runbooks")
    return english if language == "en" else english / language


def node_program(name: str) -> str:
    """Return the text of the program node/programs/`name` that runs on a node."""
    return (_PACKAGE / "node/programs" / name).read_text(encoding="utf-8")
