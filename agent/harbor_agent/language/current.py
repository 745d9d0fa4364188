"""The language of this process: English, which costs nothing, until another is set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.language.choice import ENGLISH

if TYPE_CHECKING:
    from harbor_agent.language.catalogue import Catalogue

_catalogues: dict[str, Catalogue] = {}


def set_language(language: str, catalogue: Catalogue) -> None:
    """Show texts from now on in `language`, as `catalogue` translates them."""
    _catalogues.clear()
    _catalogues[language] = catalogue


def get_language() -> str:
    """Return the language of texts: "en" unless another was set."""
    return next(iter(_catalogues), ENGLISH)


def translate(text: str) -> str:
    """Return an English text in the language of the process; what is not known stays English.

    `text` is finished: its values are in it. A text that was translated before returns unchanged.
    """
    for catalogue in _catalogues.values():
        return catalogue.translate(text)
    return text
