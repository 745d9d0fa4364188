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
_JOINTS = (("\n", "\n"), ("; ", "；"), (", ", "，"))
_CLAUSE = re.compile(r"(?=[,;:] | \()|(?= (?:and|but|because|which|of|on|in|with|for|from|by) )")
_MOST_CLAUSES = 12


class Catalogue:
    """Translations by message ID.

    Code builds texts as f-strings, and they travel: through plan files, the history, reports of other machines. So a
    text is recognised when it is shown: as a fixed text, or as what a template with values in it results in.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        """Take message IDs and their translations, both as templates with named values in braces."""
        templates = [Template(source, target) for source, target in texts.items()]
        self._fixed = {one.source_text: one.target_text for one in templates if not one.has_values}
        # The more of a text a template says, the less it can be another's.
        self._templates = sorted((one for one in templates if one.is_distinctive), key=lambda one: -one.literal_length)
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
            self._known[text] = self._fill_template(text)
        return self._known[text]

    def _fill_template(self, text: str) -> str | None:
        for template in self._templates:
            values = template.match(text)
            if values is not None:
                return template.fill(values, self._translate_value, lambda word: self._fixed.get(word, word))
        return None

    def _translate_value(self, text: str) -> str:
        """Return a value or several clauses: each is translated that is known, the rest is quoted as it is."""
        if " " not in text.strip():
            return text
        found = self._recognise(text)
        if found is not None:
            return found
        for joint, translated in _JOINTS:
            if joint in text:
                parts = text.split(joint)
                found_parts = [self._recognise(part) for part in parts]
                if any(part is not None for part in found_parts):
                    return translated.join(
                        self._translate_value(part) if one is None else one
                        for part, one in zip(parts, found_parts, strict=True)
                    )
        return self._translate_clauses(text)

    def _translate_clauses(self, text: str) -> str:
        """Return a text whose end is known as a clause, such as ": it is masked"."""
        starts = [match.start() for match in _CLAUSE.finditer(text) if match.start() > 0][:_MOST_CLAUSES]
        for start in starts:
            end = self._recognise(text[start:])
            if end is not None:
                return self._translate_value(text[:start]) + end
            begin = self._recognise(text[:start])
            if begin is not None:
                return begin + self._translate_value(text[start:])
        return text


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
