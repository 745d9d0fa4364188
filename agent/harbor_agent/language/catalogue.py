"""A catalogue of translations, as gettext files hold them, that recognises finished English texts."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Self

from harbor_agent.language.template import Template

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_LINE = re.compile(r'(?:(msgid|msgstr) )?(".*")$')
# Where a text may be two that code put together, and what a translation puts there.
_JOINTS = (("\n", "\n"), ("; or ", "；或"), ("; ", "；"), (", ", "，"))
_PLACE = re.compile(r"([^\s:]*[/.][^\s]*): (.+)")
_CLAUSE = re.compile(r"(?=[,;:] | \()|(?= (?:and|but|because|which|of|on|in|with|for|from|by) )")
_BRACKETS = re.compile(r"(.*?) ?\(([^()]*)\)(.*)")
_MOST_CLAUSES = 12


class Catalogue:
    """Translations by message ID.

    Code builds texts as f-strings, and they travel: through plan files, the history, reports of other machines. So a
    text is recognised when it is shown: as a fixed text, or as what a template with values in it results in.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        """Take message IDs and their translations, both as templates with named values in braces."""
        templates = [Template(source, target) for source, target in texts.items() if source != target]
        self._fixed = {one.source_text: one.target_text for one in templates if not one.has_values}
        # The more of a text a template says, the less it can be another's; one with words of the catalogue is surest.
        distinctive = (one for one in templates if one.is_distinctive)
        self._templates = sorted(distinctive, key=lambda one: (not one.words, -one.literal_length))
        self._known: dict[str, str | None] = {}

    @classmethod
    def parse(cls, files: Iterable[str]) -> Self:
        """Read the texts of .po files: message IDs and translations, without plurals and contexts."""
        return cls({source: target for file in files for source, target in _read_po(file) if source and target})

    def translate(self, text: str) -> str:
        """Return the translation; what is not known in `text` stays English."""
        found = self._recognise(text)
        return self._translate_value(text) if found is None else found

    def _recognise(self, text: str) -> str | None:
        """Return the translation of a text that is known as a whole."""
        if text in self._fixed:
            return self._fixed[text]
        if text not in self._known:
            self._known[text] = None  # a template cannot contain itself
            self._known[text] = self._translate_at_place(text) or self._fill_template(text)
        return self._known[text]

    def _translate_at_place(self, text: str) -> str | None:
        """Return the translation of a known text after a path, such as "/etc/hosts: it is empty"."""
        match = _PLACE.fullmatch(text)
        reason = self._recognise(match[2]) if match else None
        return f"{match[1]}：{reason}" if match and reason is not None else None

    def _fill_template(self, text: str) -> str | None:
        for template in self._templates:
            values = template.match(text)
            if values is not None and all(values[name] in self._fixed for name in template.words):
                return template.fill(values, self._translate_value, self._fixed)
        return None

    def _translate_value(self, text: str) -> str:
        """Return a value or several clauses: each is translated that is known, the rest is quoted as it is."""
        if " " not in text.strip():
            return text
        found = self._recognise(text)
        for translate in (self._translate_joined, self._translate_clauses, self._translate_brackets):
            found = translate(text) if found is None else found
        return text if found is None else found

    def _translate_joined(self, text: str) -> str | None:
        """Return the translation of clauses with a joint between them, of which one is known."""
        for joint, translated in _JOINTS:
            parts = _split_outside_brackets(text, joint)
            known = [self._recognise_part(part, joint, translated) for part in parts] if len(parts) > 1 else []
            if any(one is not None for one in known):
                pairs = zip(parts, known, strict=True)
                return translated.join(self._translate_value(part) if one is None else one for part, one in pairs)
        return None

    def _recognise_part(self, part: str, joint: str, translated: str) -> str | None:
        """Return the translation of a clause, which may be known together with the joint before it."""
        found = self._recognise(part) if " " in part.strip() else None
        if found is None and (joined := self._recognise(joint + part)) is not None:
            found = joined.removeprefix(translated)
        return found

    def _translate_clauses(self, text: str) -> str | None:
        """Return the translation of a text that begins or ends with a known clause, such as ": it is masked"."""
        starts = [match.start() for match in _CLAUSE.finditer(text) if match.start() > 0][:_MOST_CLAUSES]
        for start in starts:
            end = self._recognise(text[start:])
            if end is None and text.startswith(": ", start):
                reason = self._recognise(text[start + 2 :])
                end = None if reason is None else f"：{reason}"
            if end is not None:
                return self._translate_value(text[:start]) + end
            begin = self._recognise(text[:start])
            if begin is not None:
                return begin + self._translate_value(text[start:])
        return None

    def _translate_brackets(self, text: str) -> str | None:
        """Return the translation of a text with a known clause before brackets or in them."""
        match = _BRACKETS.fullmatch(text)
        if not match:
            return None
        before, inside, after = map(self._translate_value, match.groups())
        if inside != match[2]:
            return f"{before}（{inside}）{after}"
        return f"{before} ({inside}){after}" if (before, after) != (match[1], match[3]) else None


def _split_outside_brackets(text: str, joint: str) -> list[str]:
    parts: list[str] = []
    for part in text.split(joint):
        if parts and parts[-1].count("(") > parts[-1].count(")"):
            parts[-1] += joint + part
        else:
            parts.append(part)
    return parts


def _read_po(text: str) -> Iterator[tuple[str, str]]:
    """Yield message ID and translation of each entry of a .po file (gettext manual, "The Format of PO Files")."""
    parts: dict[str, list[str]] = {"msgid": [], "msgstr": []}
    current = ""
    for line in text.splitlines():
        match = _LINE.match(line)
        if not match:
            continue
        keyword = match[1] or current
        if keyword == "msgid" != current and current:
            yield "".join(parts["msgid"]), "".join(parts["msgstr"])
            parts = {"msgid": [], "msgstr": []}
        current = keyword
        parts[current].append(json.loads(match[2]))
    yield "".join(parts["msgid"]), "".join(parts["msgstr"])
