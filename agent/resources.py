"""Where templates/, playbooks/ and the node programs are, in an editable install and in a wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _folder(name: str) -> Path:
    """Return the folder `name`: inside the package in a wheel, beside it in a checkout."""
    packed = _PACKAGE / "data" / name
    return packed if packed.is_dir() else _PACKAGE.parent / name


def template(name: str) -> str:
    """Return the text of templates/`name` (UTF-8). Raises FileNotFoundError where there is none."""
    return (_folder("templates") / name).read_text(encoding="utf-8")


def playbook(name: str) -> Path:
    """Return the path of playbooks/`name`."""
    return _folder("playbooks") / name


def node_program(name: str) -> str:
    """Return the text of the program agent/node/`name` that runs on a node."""
    return (_PACKAGE / "node" / name).read_text(encoding="utf-8")
