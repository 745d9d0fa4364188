"""Finds templates/, playbooks/, runbooks, schemas and the node programs, in an editable install and in a wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _find_folder(name: str, in_checkout: str = "") -> Path:
    """Return the folder `name`: in a wheel inside the package, in a checkout at its top (or at `in_checkout`)."""
    packed = _PACKAGE / "data" / name
    return packed if packed.is_dir() else _PACKAGE.parents[1] / (in_checkout or name)


def read_template(name: str) -> str:
    """Return the text of templates/`name` (UTF-8). Raises FileNotFoundError."""
    return (_find_folder("templates") / name).read_text(encoding="utf-8")


def find_playbook(name: str) -> Path:
    """Return the path of playbooks/`name`."""
    return _find_folder("playbooks") / name


def list_runbook_codes() -> tuple[str, ...]:
    """Return the sorted problem codes that have a runbook page."""
    return tuple(sorted(page.stem for page in _find_runbooks("zh").glob("*.md")))


def read_runbook(code: str, language: str) -> str:
    """Return the runbook page (Markdown) of a problem code in `language`, "en" or "zh". Raises FileNotFoundError."""
    return (_find_runbooks(language) / f"{code}.md").read_text(encoding="utf-8")


def read_translations(language: str) -> list[str]:
    """Return the texts of the gettext catalogues (.po) of a language, one for each room."""
    return [path.read_text(encoding="utf-8") for path in sorted((_PACKAGE / "language" / language).glob("*.po"))]


def _find_runbooks(language: str) -> Path:
    english = _find_folder("runbooks", "docs/runbooks")
    return english if language == "en" else english / language


def list_schemas() -> tuple[str, ...]:
    """Return the sorted names of the schemas of printed documents, such as `run-2`."""
    return tuple(sorted(file.stem for file in _find_folder("schemas", "docs/schemas").glob("*.json")))


def read_schema(name: str) -> str:
    """Return the JSON Schema of a printed document. Raises FileNotFoundError."""
    return (_find_folder("schemas", "docs/schemas") / f"{name}.json").read_text(encoding="utf-8")


def read_node_program(name: str) -> str:
    """Return the text of node/programs/`name`, a program that runs on nodes."""
    return (_PACKAGE / "node/programs" / name).read_text(encoding="utf-8")
