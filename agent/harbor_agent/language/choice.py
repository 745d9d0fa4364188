"""Which language a process speaks: that of --lang, else that of the locale."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ENGLISH, CHINESE = "en", "zh"
OPTION = "--lang"
# POSIX, "Environment Variables": the first that is set and not empty decides.
_LOCALE_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
_SAMPLE = "节点：应用计划，拒绝"


def choose_language(arguments: Sequence[str], environment: Mapping[str, str], encodings: Iterable[str]) -> str:
    """Return "zh" or "en". `encodings` are those of the streams; a locale is not followed into what they cannot show.

    The arguments are read before they are parsed, since their errors and help have a language too. All locales of
    Chinese get simplified characters: there are no others.
    """
    for before, argument in pairwise(["", *arguments]):
        for language in (ENGLISH, CHINESE):
            if argument == f"{OPTION}={language}" or (before, argument) == (OPTION, language):
                return language
    locale = next((value for name in _LOCALE_VARIABLES if (value := environment.get(name))), "")
    is_chinese = locale.lower().startswith(CHINESE)
    return CHINESE if is_chinese and all(map(_can_show_chinese, encodings)) else ENGLISH


def _can_show_chinese(encoding: str) -> bool:
    try:
        _SAMPLE.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
