"""Removes recorded entries from the text of a Corefile, so that it is as it was before they were added.

The record and the structure decide, not the comments: kubeadm's migration of a Corefile drops all comments.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harbor_agent.formats.text import Edit, apply_edits
from harbor_agent.model.dns import EntryForm
from harbor_agent.planning.dns.additions import MARK, refuse_unusual
from harbor_agent.planning.dns.hosts import has_name, list_entries, parse_address
from harbor_agent.planning.dns.layout import find_line_start, find_next_line, is_rest_of_line_free

if TYPE_CHECKING:
    from harbor_agent.formats.corefile.document import Corefile, Directive, Line, ServerBlock
    from harbor_agent.model.dns import DnsEntry


def remove_from_block(text: str, file: str, block: ServerBlock, entry: DnsEntry, form: EntryForm) -> str:
    """Remove the entry from a hosts directive of the block that is written in `file`, whose text is given.

    The text is returned as it is if the entry is not there.
    """
    for hosts in block.find("hosts"):
        if hosts.tokens[0].file != file or hosts.tokens[0].snippet:
            continue
        for line in list_entries(hosts):
            if has_name(line, entry.name) and parse_address(line.texts[0]) == parse_address(entry.address):
                return _remove_line(text, hosts, line, entry, form)
    return text


def _remove_line(text: str, hosts: Directive, line: Line, entry: DnsEntry, form: EntryForm) -> str:
    names = line.tokens[1:]
    if len(names) > 1:
        token = next(token for token in names if token.text.lower().removesuffix(".") == entry.name)
        before = line.tokens[line.tokens.index(token) - 1]
        return apply_edits(text, [Edit(start=before.end, end=token.end)])
    is_last = len(list_entries(hosts)) == 1
    others = [one.texts[0] for one in hosts.lines if one != line]
    if is_last and form is EntryForm.DIRECTIVE and not hosts.arguments and set(others) <= {"fallthrough"}:
        return _remove_directive(text, hosts)
    if is_last and form is EntryForm.BODY and not others:
        return _remove_body(text, hosts)
    return apply_edits(text, [_cut_lines(text, line.tokens[0].start, line.tokens[-1].end)])


def _remove_directive(text: str, hosts: Directive) -> str:
    cut = _cut_lines(text, hosts.tokens[0].start, hosts.tokens[-1].end)
    above = find_line_start(text, cut.start - 1) if cut.start else 0
    start = above if text[above : cut.start].strip().startswith(f"{MARK}:") else cut.start
    return apply_edits(text, [Edit(start=start, end=cut.end)])


def _remove_body(text: str, hosts: Directive) -> str:
    opening, closing = hosts.opening, hosts.closing
    if opening is None or closing is None or not is_rest_of_line_free(text, closing.end):
        raise refuse_unusual(hosts)
    before = hosts.tokens[hosts.tokens.index(opening) - 1]
    start = find_next_line(text, opening.end)
    end = find_next_line(text, closing.end)
    if start is None:
        raise refuse_unusual(hosts)
    if end is None:
        start -= 2 if text[:start].endswith("\r\n") else 1
    return apply_edits(text, [Edit(start=before.end, end=opening.end), Edit(start=start, end=end or len(text))])


def _cut_lines(text: str, start: int, end: int) -> Edit:
    after = find_next_line(text, end)
    return Edit(start=find_line_start(text, start), end=len(text) if after is None else after)


def remove_block(text: str, corefile: Corefile, name: str) -> str:
    """Remove the server block that was added for a name, with its marks if it still has them."""
    marked = re.compile(
        rf"(?P<before>\r?\n)?^# BEGIN harbor-agent {re.escape(name)}\r?\n.*?^# END harbor-agent {re.escape(name)}"
        r"(?P<after>\r?\n|\Z)",
        re.DOTALL | re.MULTILINE,
    )
    if match := marked.search(text):
        start = match.start() if not match["after"] else match.end("before") if match["before"] else match.start()
        return text[:start] + text[match.end() :]
    for block in corefile.blocks:
        zones = [key.text.partition(":")[0] for key in block.keys]
        if zones == [name] and not block.keys[0].file and block.closing:
            return apply_edits(text, [_cut_lines(text, block.keys[0].start, block.closing.end)])
    return text
