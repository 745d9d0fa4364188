"""The picture of the README is what a terminal shows after that command now."""

from __future__ import annotations

import html
import re

from tests.lab.picture import COMMAND, PICTURE, run_plan


def test_the_picture_shows_the_plan_that_the_program_makes() -> None:
    svg = PICTURE.read_text(encoding="utf-8")
    drawn = "".join(re.findall(r'<text class="plan-r\d+"[^>]*>([^<]*)</text>', svg))
    shown = f"$ harbor-agent {' '.join(COMMAND)}{run_plan().text}"
    assert re.sub(r"\s", "", html.unescape(drawn)) == re.sub(r"\s", "", shown), "make picture draws it again"
    assert re.findall(r"https?://[^\s\"<]*", svg) == ["http://www.w3.org/2000/svg", "https://www.textualize.io"]
