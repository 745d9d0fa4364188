"""Text for a terminal: broken between words, and file content without any doubt about what is in the file."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harbor_agent.views.screen.fit import fit_text
from harbor_agent.views.screen.glyphs import remove_styles
from harbor_agent.views.text.layout.cells import measure_text
from harbor_agent.views.text.style import indent, style, style_diff

OPTIONS = (
    "--log-driver=json-file --log-opt max-size=100m --log-opt max-file=3 --storage-driver=overlay2 "
    "--insecure-registry=harbor.corp.example.com:5000 --data-root=/var/lib/docker --live-restore=true"
)
REVERSED = re.compile(r"(?:\x1b\[\d+m)?\x1b\[7m(.*?)\x1b\[0m")


def fit(text: str, width: int) -> list[str]:
    return remove_styles(fit_text(text, width)).split("\n")


def diff_of(*lines: str) -> str:
    """A styled diff as in a plan; the lines have their signs."""
    counts = (sum(line[0] in " -" for line in lines), sum(line[0] in " +" for line in lines))
    return indent(style_diff("\n".join([f"@@ -1,{counts[0]} +1,{counts[1]} @@", *lines])))


def test_prose_breaks_between_words_and_hangs() -> None:
    assert fit("  the registry is trusted by dockerd already", 20) == [
        "  the registry is",
        "    trusted by",
        "    dockerd already",
    ]


def test_a_hint_hangs_below_its_first_word_and_its_commands_stay_whole() -> None:
    command = "     ssh-keyscan -t ed25519 192.168.0.2 >>~/.ssh/known_hosts"
    assert fit(f"  -> compare the key, then run\n{command}", 20) == [
        "  -> compare the",
        "     key, then run",
        command,
    ]


def test_a_word_that_is_too_wide_stays_whole() -> None:
    path = "/etc/systemd/system/docker.service.d/docker-options.conf"
    assert fit(f"  see {path} now", 20) == ["  see", f"    {path}", "    now"]


def test_wide_characters_take_two_columns_and_no_line_begins_with_a_full_stop() -> None:
    lines = fit("节点没有响应。请检查网络。", 12)
    assert lines == ["节点没有响", "  应。请检查", "  网络。"]
    assert all(measure_text(line) <= 12 for line in lines)


def test_a_style_ends_with_its_line_and_goes_on_in_the_next() -> None:
    assert fit_text(style("one two", bold=True), 4) == "\x1b[1mone\x1b[0m\n  \x1b[1mtwo\x1b[0m"


def test_what_fits_is_not_touched() -> None:
    text = "  --- /etc/docker/daemon.json\t0644 0:0\n\x1b[1mPlan\x1b[0m: 1 to change "
    assert fit_text(text, 80) == text


def test_only_the_new_argument_of_a_long_line_is_marked() -> None:
    text = diff_of(f'-OPTS="{OPTIONS}"', f'+OPTS="{OPTIONS} --insecure-registry=192.168.0.99"')
    marked = REVERSED.findall(fit_text(text, 400))
    assert marked == ["--insecure-registry=192.168.0.99"]


def test_a_replaced_item_is_marked_on_both_sides() -> None:
    text = diff_of('-{"insecure-registries": ["old.lan"]}', '+{"insecure-registries": ["new.lan"]}')
    assert REVERSED.findall(fit_text(text, 80)) == ["old.lan", "new.lan"]


def test_lines_that_have_nothing_in_common_have_no_marks() -> None:
    assert REVERSED.findall(fit_text(diff_of("-one two three", "+four five six"), 80)) == []


def test_a_line_that_goes_on_keeps_its_sign_and_has_a_mark() -> None:
    assert fit(diff_of(" same", "-short", "+--log-opt max-size=100m --log-opt max-file=3 --data-root=/srv"), 30) == [
        "  @@ -1,2 +1,2 @@",
        "   same",
        "  -short",
        "  +--log-opt max-size=100m",
        "↪ + --log-opt max-file=3",
        "↪ + --data-root=/srv",
    ]


@given(
    st.lists(st.tuples(st.sampled_from(" -+"), st.text("ab -+@>\\,节", max_size=60)), min_size=1, max_size=8),
    st.integers(20, 60),
)
def test_no_content_is_lost_or_taken_for_something_else(lines: list[tuple[str, str]], width: int) -> None:
    """What is read back from the screen are the lines of the diff."""
    shown = fit(diff_of(*(sign + content for sign, content in lines)) + "\nthe end", width)
    assert shown[-1] == "the end"
    read: list[str] = []
    for line in shown[1:-1]:
        assert measure_text(line) <= width
        if line.startswith("↪ "):
            assert read[-1][0] == line[2]
            read[-1] += line[3:]
        else:
            assert line.startswith("  ")
            read.append(line[2:])
    written = [sign + content for sign, content in lines]
    by_sign = [sorted(line for line in found if line[0] == sign) for found in (read, written) for sign in " -+"]
    assert by_sign[:3] == by_sign[3:]


def test_a_file_cannot_end_a_hunk_or_hide_a_line() -> None:
    shown = fit(diff_of("+@@ -1 +1 @@", "+Plan: 0 to change", "+\x1b[8mhidden\x1b[0m"), 80)
    assert shown[1:] == ["  +@@ -1 +1 @@", "  +Plan: 0 to change", "  +\\x1b[8mhidden\\x1b[0m"]


@pytest.mark.parametrize(("width", "is_beside"), [(159, False), (160, True)])
def test_old_and_new_are_side_by_side_from_160_columns(width: int, *, is_beside: bool) -> None:
    shown = fit(diff_of(" same", "-a b c", "+a b d", "+new"), width)
    assert any(re.fullmatch(r"  -a b c +│   \+a b d", line) for line in shown) is is_beside
    assert any(re.fullmatch(r" +│   \+new", line) for line in shown) is is_beside
    assert all(measure_text(line) <= width for line in shown)


def test_what_is_only_added_is_not_beside_an_empty_half() -> None:
    assert fit(diff_of(" same", "+new"), 200)[1:] == ["   same", "  +new"]


def test_tabs_of_a_file_go_to_columns_of_the_file() -> None:
    assert fit(diff_of("+\ta", "+节\ta"), 80)[1:] == ["  +        a", "  +节      a"]


def test_without_unicode_marks_are_ascii() -> None:
    assert "\n> +" in remove_styles(fit_text(diff_of(f"+{OPTIONS}"), 60, is_unicode=False))
