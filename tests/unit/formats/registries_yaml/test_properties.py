"""Generated files: a registry is added and removed again byte for byte, in the order and style of any file."""

from __future__ import annotations

import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from harbor_agent.formats.registries_yaml.additions import add_endpoint
from harbor_agent.formats.registries_yaml.document import RegistriesFile
from harbor_agent.formats.registries_yaml.removals import remove_endpoints
from harbor_agent.formats.text import FormatError

HOST, URL = "192.168.0.99", "http://192.168.0.99"
NAMES = ["docker.io", "*", "quay.io", "lan:5000", HOST]
URLS = ["https://a.lan", "http://b.lan:5000", "https://c.lan/v2", f"https://{HOST}"]
COMMENTS = st.sampled_from(["", "", " # c", "   # é x"])


@st.composite
def endpoints(draw: st.DrawFn, indent: str, step: str) -> list[str]:
    urls = [
        f"{quote}{url}{quote}" for url in draw(st.permutations(URLS)) for quote in draw(st.sampled_from(["'", '"']))
    ]
    urls = urls[: draw(st.integers(0, 3))]
    key, comment = f"{indent}endpoint:", draw(COMMENTS)
    if not urls:
        return [key + draw(st.sampled_from(["", " []", " [ ]"])) + comment]
    if draw(st.booleans()):
        blank = draw(st.sampled_from(["", " "]))
        return [f"{key} [{blank}{', '.join(urls)}{blank}]{comment}"]
    dash = indent + draw(st.sampled_from(["", step])) + "-" + draw(st.sampled_from([" ", "  "]))
    return [key + comment, *(dash + url + draw(COMMENTS) for url in urls)]


@st.composite
def mirrors(draw: st.DrawFn) -> list[str]:
    step = " " * draw(st.sampled_from([2, 4]))
    lines = ["mirrors:" + draw(COMMENTS)]
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True)):
        lines += draw(st.sampled_from([[], [f"{step}# about"], ["# left"], [""]]))
        value = draw(st.sampled_from(["", " {}", " {endpoint: ['https://z.lan']}", None]))
        lines.append(f'{step}"{name}":{value or ""}{draw(COMMENTS)}')
        if value is None:
            body = [draw(endpoints(step * 2, step)), draw(st.sampled_from([[], [f"{step * 2}rewrite: {{a: b}}"]]))]
            lines += [line for part in draw(st.permutations(body)) for line in part]
    return lines


@st.composite
def texts(draw: st.DrawFn) -> str:
    empty = ["mirrors: {}", "mirrors: { }", "mirrors: {docker.io: {endpoint: ['https://a.lan']} }"]
    first = draw(st.one_of(mirrors(), st.sampled_from([[], *([one] for one in empty)])))
    others = [["configs:", "  a.lan: {auth: {password: 'p # x'}}"], ["junk: 1"]]
    parts = draw(st.permutations([first, *others[: draw(st.integers(0, 2))], ["", "# between"]]))
    lines = draw(st.sampled_from([[], ["---"], ["# top", ""]])) + [line for part in parts for line in part]
    line_end = draw(st.sampled_from(["\n", "\r\n"]))
    return line_end.join(lines) + draw(st.sampled_from(["", line_end]))


@given(texts())
def test_one_registry_is_added_and_nothing_else_and_it_goes_without_a_trace(text: str) -> None:
    content = text.encode()
    try:
        changed = add_endpoint(content, HOST, URL)
    except FormatError as error:
        assert "no mapping" in error.reason  # noqa: PT017 - a document that is empty
        return
    before, after = yaml.safe_load(text) or {}, yaml.safe_load(changed)
    kept = {key: one for key, one in (before.get("mirrors") or {}).items() if key != HOST}
    assert after["mirrors"].pop(HOST)["endpoint"][0] == URL
    assert after == {**before, "mirrors": kept}
    assert remove_endpoints(changed, HOST, [URL]) == content


@given(st.one_of(st.binary(), st.text(alphabet="mirorsendpt:{}[]&*<- \t\n\"'#0~!|").map(str.encode)))
def test_any_bytes_are_read_or_rejected_with_a_line(content: bytes) -> None:
    try:
        RegistriesFile(content)
        changed = add_endpoint(content, HOST, URL)
    except FormatError as error:
        assert error.line >= 1  # noqa: PT017
        return
    assume(HOST not in RegistriesFile(content).mirrors)
    assert remove_endpoints(changed, HOST, [URL]) == content
