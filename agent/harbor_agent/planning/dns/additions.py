"""Adds an entry to the text of a Corefile: a line, a body, a directive or a server block. Everything else is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.formats.text import Edit, apply_edits
from harbor_agent.model.dns import EntryForm
from harbor_agent.planning.dns.hosts import list_entries, list_forwards
from harbor_agent.planning.dns.layout import (
    INDENT,
    find_line_start,
    find_newline,
    find_next_line,
    is_rest_of_line_free,
    read_block_indentation,
    read_indentation,
)
from harbor_agent.planning.refusal import RefusedError

if TYPE_CHECKING:
    from harbor_agent.formats.corefile.document import Directive, ServerBlock
    from harbor_agent.model.dns import DnsEntry

MARK = "# harbor-agent"


def add_to_hosts(text: str, block: ServerBlock, hosts: Directive, entry: DnsEntry) -> tuple[str, EntryForm]:
    """Add a line to a hosts directive: after its last entry, since none may follow `fallthrough`."""
    entries = list_entries(hosts)
    anchor = entries[-1].tokens[-1] if entries else hosts.opening
    if anchor is None:
        return _add_body(text, block, hosts, entry), EntryForm.BODY
    after = find_next_line(text, anchor.end)
    if after is None or not is_rest_of_line_free(text, anchor.end):
        raise refuse_unusual(hosts)
    first = hosts.lines[0].tokens[0] if hosts.lines else None
    indent = read_indentation(text, first) if first else None
    line = f"{_pick_indent(text, block, hosts) if indent is None else indent}{_format(entry)}{find_newline(text)}"
    return apply_edits(text, [Edit(start=after, end=after, text=line)]), EntryForm.LINE


def _add_body(text: str, block: ServerBlock, hosts: Directive, entry: DnsEntry) -> str:
    end = hosts.tokens[-1].end
    if not is_rest_of_line_free(text, end):
        raise refuse_unusual(hosts)
    newline, after = find_newline(text), find_next_line(text, end)
    indent = read_indentation(text, hosts.tokens[0]) or ""
    body = f"{_pick_indent(text, block, hosts)}{_format(entry)}{newline}{indent}}}"
    place, body = (after, body + newline) if after is not None else (len(text), newline + body)
    return apply_edits(text, [Edit(start=end, end=end, text=" {"), Edit(start=place, end=place, text=body)])


def _pick_indent(text: str, block: ServerBlock, hosts: Directive) -> str:
    indent, inner = read_block_indentation(text, block)
    own = read_indentation(text, hosts.tokens[0])
    return inner if own is None else own + inner.removeprefix(indent)


def _format(entry: DnsEntry) -> str:
    return f"{entry.address} {entry.name} {MARK}"


def add_directive(text: str, block: ServerBlock, entry: DnsEntry) -> str:
    """Add a hosts directive before the block's first directive, or as its only one."""
    newline = find_newline(text)
    indent, inner = read_block_indentation(text, block)
    lines = [
        f"{indent}{MARK}: {entry.name}",
        f"{indent}hosts {{",
        f"{inner}{entry.address} {entry.name}",
        f"{inner}fallthrough",
        f"{indent}}}",
    ]
    place = _find_place(text, block)
    return apply_edits(text, [Edit(start=place, end=place, text="".join(line + newline for line in lines))])


def _find_place(text: str, block: ServerBlock) -> int:
    file = block.keys[0].file
    for directive in block.directives:
        token = directive.tokens[0]
        if token.file == file and not token.snippet and read_indentation(text, token) is not None:
            return find_line_start(text, token.start)
    place = find_next_line(text, block.opening.end) if block.opening else None
    if place is None or block.opening is None or not is_rest_of_line_free(text, block.opening.end):
        raise refuse_unusual(block)
    return place


def append_block(text: str, lines: list[str], name: str) -> str:
    """Append a server block with its marks; a text without a last line end still has none afterwards."""
    newline = find_newline(text)
    block = newline.join([f"# BEGIN harbor-agent {name}", *lines, f"# END harbor-agent {name}"])
    return f"{text}{newline}{block}" if text and not text.endswith("\n") else f"{text}{block}{newline}"


def build_answering_block(text: str, block: ServerBlock, entry: DnsEntry, port: str) -> list[str]:
    """Build a block that answers the name, and forwards the names below it as `block` does."""
    forwards = [_copy(text, one) for one in list_forwards(block, entry.name)]
    hosts = ["hosts {", f"{INDENT}{entry.address} {entry.name}", f"{INDENT}fallthrough", "}"]
    return _wrap(entry, port, ["errors", *hosts, *(line for one in forwards for line in one), "cache 30"])


def build_forwarding_block(text: str, cluster: ServerBlock, entry: DnsEntry, port: str) -> list[str]:
    """Build a block that asks the same server for the name as the block of the cluster's domain asks."""
    copied = [_copy(text, one) for one in (*cluster.find("bind"), *cluster.find("forward", "proxy"))]
    return _wrap(entry, port, ["errors", "cache 30", *(line for one in copied for line in one)])


def _wrap(entry: DnsEntry, port: str, lines: list[str]) -> list[str]:
    return [f"{entry.name}:{port} {{", *(INDENT + line for line in lines), "}"]


def _copy(text: str, directive: Directive) -> list[str]:
    """Return the lines of a directive as they are written, indented as a block's directives are here."""
    if directive.tokens[0].snippet or directive.tokens[0].file != directive.tokens[-1].file:
        raise refuse_unusual(directive)
    written = text[directive.tokens[0].start : directive.tokens[-1].end].splitlines()
    inner = [line.strip(" \t") for line in written[1:]]
    return [written[0], *(line if line == "}" else INDENT + line for line in inner)]


def refuse_unusual(where: Directive | ServerBlock) -> RefusedError:
    """Return the refusal for a text whose layout leaves no line of its own for an entry."""
    token = where.tokens[0] if hasattr(where, "tokens") else where.keys[0]
    return RefusedError(
        "corefile-unclear",
        f"line {token.line}: '{token.text}' is written in a form that is not edited",
        "write each directive and brace on a line of its own, or add the entry by hand",
    )
