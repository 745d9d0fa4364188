"""Bring the catalogues of translations up to date with the code: `make texts`.

A new text gets an empty translation, one that no code has is removed, every other keeps its translation. Texts of the
library typer, which the command line shows too, are listed here: they are not in our code.
"""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path

from babel.messages import Catalog
from babel.messages.pofile import read_po, write_po
from extract import extract_from_template, extract_texts

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "agent/harbor_agent"
FOLDER = PACKAGE / "language/zh"
# Documents for other programs.
IN_ENGLISH = {("views", name) for name in ("json", "junit")}
# Counted words, in lines that sum up, such as "3 refused"; some of them are not written as a whole in the code.
COUNTED = ("{count} {state}", "error", "errors", "warning", "warnings")
TYPER = (
    *("Usage: ", "Error: ", "Arguments", "Options", "Commands", "Examples:", "required", "default: {default}"),
    *("env var: {variable}", "Show this message and exit.", "Install completion for the current shell."),
    "Show completion for the current shell, to copy it or customize the installation.",
    *("Missing command.", "Missing argument {name}.", "Missing option {name}.", "No such command {name}."),
    *("No such option: {name}", "No such option: {name} Did you mean {names}?"),
    *("No such option: {name} (Possible options: {names})", "Got unexpected extra argument ({name})"),
    *("Got unexpected extra argument {name}", "Got unexpected extra arguments ({names})"),
    *("Option {name} requires an argument.", "Option {name} does not take a value.", "Invalid value: {reason}"),
    *("Invalid value for {name}: {reason}", "Value error, {reason}", "{value} is not one of {choices}."),
    *("{value} is not a valid integer.", "{value} is not a valid int.", "{value} is not a valid float."),
    "{value} is not in the range {range}.",
)


def collect_messages() -> dict[str, dict[str, list[str]]]:
    """Return room, message ID and its modules; a text of several rooms belongs to the first of them."""
    rooms: dict[str, dict[str, list[str]]] = {
        "typer": {text: [] for text in TYPER},
        "counted": {text: [] for text in COUNTED},
    }
    owners = {text: room for room, texts in rooms.items() for text in texts}
    for path in sorted(PACKAGE.rglob("*.py")):
        module = path.relative_to(PACKAGE)
        if module.parts[:2] in IN_ENGLISH:
            continue
        for text in extract_texts(path):
            owner = owners.setdefault(text, module.parts[0].removesuffix(".py"))
            modules = rooms.setdefault(owner, {}).setdefault(text, [])
            if str(module) not in modules:
                modules.append(str(module))
    for path in sorted((ROOT / "templates").glob("*.j2")):
        for text in extract_from_template(path.read_text(encoding="utf-8")):
            owner = owners.setdefault(text, "views")
            modules = rooms[owner].setdefault(text, [])
            if path.name not in modules:
                modules.append(path.name)
    return rooms


def read_catalogue(path: Path) -> dict[str, str]:
    """Return the messages of a .po file and their translations."""
    with path.open("rb") as file:
        return {str(message.id): str(message.string) for message in read_po(file) if message.id}


def render_catalogue(messages: dict[str, list[str]], translations: dict[str, str]) -> bytes:
    """Return the .po file of a room."""
    catalogue = Catalog(locale="zh_Hans")
    for text, modules in messages.items():
        catalogue.add(text, translations.get(text, ""), locations=[(module, 0) for module in modules])
    written = BytesIO()
    write_po(written, catalogue, width=0, omit_header=True, include_lineno=False)
    return written.getvalue()


def main() -> None:
    """Write every catalogue, and report the texts that lack a translation."""
    translations = {text: said for path in FOLDER.glob("*.po") for text, said in read_catalogue(path).items() if said}
    rooms = collect_messages()
    for path in FOLDER.glob("*.po"):
        path.unlink()
    for room, messages in rooms.items():
        (FOLDER / f"{room}.po").write_bytes(render_catalogue(messages, translations))
    missing = [text for messages in rooms.values() for text in messages if text not in translations]
    sys.stdout.write("".join(f"no translation: {text}\n" for text in missing))


if __name__ == "__main__":
    main()
