"""Write the manual pages: one for harbor-agent and one for each command, from the commands themselves.

Arguments: the folder to write to. Needs typer, and nothing else that harbor-agent needs.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT / "agent") not in sys.path:
    sys.path.insert(0, str(ROOT / "agent"))

if TYPE_CHECKING:
    from collections.abc import Iterator

# groff_char(7): what stays an ASCII character in a terminal and can be copied from there.
_ESCAPES = {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti", '"': "\\(dq"}
_CODE = re.compile(r"`([^`]+)`")
_DEFAULT_FILES = (
    ("./harbor-agent.yaml", "settings; harbor-agent config schema describes every key"),
    ("$XDG_STATE_HOME/harbor-agent, by default ~/.local/state/harbor-agent", "locks and the history of runs"),
)


def build_pages() -> dict[str, str]:
    """Return the text (roff) of every page by its file name, such as `harbor-agent-apply.1`."""
    from typer.main import get_command  # noqa: PLC0415 - a build without pages has no typer

    from harbor_agent.cli.main import app  # noqa: PLC0415 - as above

    program: Any = get_command(app)
    context = program.context_class(program, info_name="harbor-agent", **program.context_settings)
    return {f"{_name_page(one)}.1": "\n".join(_render_page(one)) + "\n" for one in _walk(context)}


def _walk(context: Any) -> Iterator[Any]:  # noqa: ANN401 - contexts of whichever click typer brings
    yield context
    for name, command in getattr(context.command, "commands", {}).items():
        yield from _walk(command.context_class(command, info_name=name, parent=context, **command.context_settings))


def _name_page(context: Any) -> str:  # noqa: ANN401 - as above
    return str(context.command_path).replace(" ", "-")


def _render_page(context: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    from harbor_agent import __version__  # noqa: PLC0415 - as above
    from harbor_agent.cli.help import list_panels  # noqa: PLC0415 - as above

    command, page = context.command, _name_page(context)
    summary, *paragraphs = re.split(r"\n\s*\n", (command.help or "").strip())
    yield f'.TH "{_escape(page.upper())}" 1 "" "harbor\\-agent {__version__}" "harbor\\-agent"'
    yield ".nh\n.ad l"  # words to copy are not hyphenated, and blanks not stretched
    yield ".SH NAME"
    yield f"{_escape(page)} \\- {_render_text(summary).removesuffix('.')}"
    yield ".SH SYNOPSIS"
    yield f".B {_escape(context.command_path)}"
    yield _protect(_escape(" ".join(command.collect_usage_pieces(context))))
    if paragraphs:
        yield ".SH DESCRIPTION"
    for number, paragraph in enumerate(paragraphs):
        yield from ([".PP"] if number else [])
        yield _render_text(paragraph)
    for title, rows in list_panels(command.get_params(context), context).items():
        if rows:
            yield f".SH {_quote(title.upper())}"
        for names, text in rows:
            yield from render_row(f"\\fB{_escape(names)}\\fR", text)
    below = getattr(command, "commands", {})
    if below:
        yield ".SH COMMANDS"
    for name, one in below.items():
        yield from render_row(f"\\fB{_escape(f'{page}-{name}')}\\fR(1)", one.get_short_help_str(limit=200))
    yield from _render_examples(command.epilog or "")
    if context.parent is None:
        yield ".SH FILES"
        for name, meaning in _DEFAULT_FILES:
            yield from render_row(_protect(_escape(name)), meaning)
    yield ".SH SEE ALSO"
    yield ",\n".join(f".BR {_escape(one)} (1)" for one in _find_related(context)).replace(",\n", " ,\n")


def _find_related(context: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    """Yield the pages above this one, below it, and beside it; the program's own page has those of all commands."""
    page, above = _name_page(context), context.parent
    if above is not None:
        yield _name_page(above)
    yield from (f"{page}-{name}" for name in getattr(context.command, "commands", {}))
    if above is not None and above.parent is not None:
        beside = (f"{_name_page(above)}-{name}" for name in above.command.commands)
        yield from (one for one in beside if one != page)


def render_row(label: str, text: str) -> Iterator[str]:
    """Yield the lines of a label, which is roff, and its text, which is not."""
    yield ".TP"
    yield label
    yield _render_text(text)


def _render_examples(epilog: str) -> Iterator[str]:
    title, *lines = epilog.removeprefix("\b\n").splitlines() or [""]
    if lines:
        yield f".SH {_quote(title.removesuffix(':').upper())}"
        yield ".nf"
        yield from (_protect(_escape(line.removeprefix("  "))) for line in lines)
        yield ".fi"


def _render_text(text: str) -> str:
    """Return a paragraph: `code` is bold, line breaks of the source do not count."""
    parts = _CODE.split(" ".join(text.replace("\b", "").split()))
    written = [f"\\fB{_escape(part)}\\fR" if number % 2 else _escape(part) for number, part in enumerate(parts)]
    return _protect("".join(written))


def _quote(title: str) -> str:
    return f'"{_escape(title)}"' if " " in title else _escape(title)


def _protect(line: str) -> str:
    """Return a line of text that is no request: a dot at its beginning would be one (an apostrophe is escaped)."""
    return f"\\&{line}" if line.startswith(".") else line


def _escape(text: str) -> str:
    return "".join(
        _ESCAPES.get(character) or (character if character.isascii() else f"\\[u{ord(character):04X}]")
        for character in text
    )


def main() -> None:
    """Write the pages, and print the folder."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in build_pages().items():
        (folder / name).write_text(text, encoding="utf-8")
    sys.stdout.write(f"{folder}\n")


if __name__ == "__main__":
    main()
