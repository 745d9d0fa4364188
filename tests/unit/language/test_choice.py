"""Which language is spoken."""

from __future__ import annotations

import pytest

from harbor_agent.language.choice import choose_language


@pytest.mark.parametrize(
    ("arguments", "environment", "encoding", "expected"),
    [
        ([], {}, "utf-8", "en"),
        ([], {"LANG": "zh_CN.UTF-8"}, "utf-8", "zh"),
        ([], {"LANG": "zh_TW.UTF-8"}, "utf-8", "zh"),
        ([], {"LANG": "zh_CN.GB18030"}, "gb18030", "zh"),
        ([], {"LANG": "zh_CN.UTF-8"}, "ascii", "en"),
        ([], {"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, "utf-8", "en"),
        ([], {"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_CN.UTF-8"}, "utf-8", "zh"),
        ([], {"LC_ALL": "", "LANG": "zh_CN.UTF-8"}, "utf-8", "zh"),
        ([], {"LANG": "de_DE.UTF-8"}, "utf-8", "en"),
        (["plan", "--lang", "zh"], {}, "utf-8", "zh"),
        (["plan", "--lang=zh"], {"LANG": "C"}, "ascii", "zh"),
        (["plan", "--lang", "en"], {"LANG": "zh_CN.UTF-8"}, "utf-8", "en"),
        (["plan", "--lang", "fr"], {}, "utf-8", "en"),
        (["zh"], {}, "utf-8", "en"),
    ],
)
def test_the_option_decides_then_the_locale(
    arguments: list[str], environment: dict[str, str], encoding: str, expected: str
) -> None:
    assert choose_language(arguments, environment, ("utf-8", encoding)) == expected
