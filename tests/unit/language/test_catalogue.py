"""Finished English texts are recognised, with the values in them."""

from __future__ import annotations

import pytest

from harbor_agent.language.catalogue import Catalogue

TEXTS = {
    "permission denied": "权限不足",
    "cannot reach {origin}: {reason}": "无法连接 {origin}：{reason}",
    "{server} is rate limiting requests{wait}{reason}": "{server} 限制了请求频率{wait}{reason}",
    ", and asks to wait {seconds} s": "，并要求等待 {seconds} 秒",
    "{count} node{plural}": "{count} 个节点",
    "there is no docker on the node{others}": "节点上没有 docker{others}",
    "; found {names}": "；找到 {names}",
    "not changed": "未改动",
    "not changed: {reason}": "未改动：{reason}",
    "{first} is newer than {second}": "{second} 比 {first} 旧",
    "the run {outcome}": "运行{outcome:word}",
    "refused": "已拒绝",
    "write {{}} into it": "在其中写入 {{}}",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("permission denied", "权限不足"),
        ("cannot reach http://a: permission denied", "无法连接 http://a：权限不足"),
        ("cannot reach http://a: EOF", "无法连接 http://a：EOF"),
        ("10.0.0.1 is rate limiting requests", "10.0.0.1 限制了请求频率"),
        (
            "10.0.0.1 is rate limiting requests, and asks to wait 5 s: slow down",
            "10.0.0.1 限制了请求频率，并要求等待 5 秒: slow down",
        ),
        ("1 node", "1 个节点"),
        ("3 nodes", "3 个节点"),
        ("there is no docker on the node", "节点上没有 docker"),
        ("there is no docker on the node; found a and b", "节点上没有 docker；找到 a and b"),
        ("not changed: cannot reach http://a: permission denied", "未改动：无法连接 http://a：权限不足"),
        ("permission denied; not changed", "权限不足；未改动"),
        ("first line\npermission denied", "first line\n权限不足"),
        ("a is newer than b", "b 比 a 旧"),
        ("the run refused", "运行已拒绝"),
        ("not changed: refused", "未改动：refused"),
        ("write {} into it", "在其中写入 {}"),
        ("something else happened", "something else happened"),
        ("", ""),
    ],
)
def test_a_text_is_recognised_by_its_words(text: str, expected: str) -> None:
    assert Catalogue(TEXTS).translate(text) == expected


def test_a_translated_text_stays() -> None:
    catalogue = Catalogue(TEXTS)
    for text in ("cannot reach http://a: permission denied", "3 nodes"):
        assert catalogue.translate(catalogue.translate(text)) == catalogue.translate(text)


def test_the_longest_text_wins() -> None:
    texts = {"cannot {what}": "无法 {what}", "cannot read {path}: it is empty": "无法读取 {path}：内容为空"}
    for order in (texts, dict(reversed(texts.items()))):
        assert Catalogue(order).translate("cannot read /etc/a: it is empty") == "无法读取 /etc/a：内容为空"


def test_a_template_that_says_next_to_nothing_matches_nothing() -> None:
    assert Catalogue({"{name}: {reason}": "{name}：{reason}"}).translate("node1: down") == "node1: down"


def test_a_file_in_the_format_of_gettext_is_read() -> None:
    text = (
        "# a comment\n#: planning/node.py\n#, python-brace-format\n"
        'msgid "{name} \\"quoted\\" text"\nmsgstr "{name}“引用”的文字"\n\n'
        'msgid ""\n"several "\n"lines"\nmsgstr ""\n"多"\n"行"\n\nmsgid "not translated yet"\nmsgstr ""\n'
    )
    catalogue = Catalogue.parse([text])
    assert catalogue.translate('a "quoted" text') == "a“引用”的文字"
    assert catalogue.translate("several lines") == "多行"
    assert catalogue.translate("not translated yet") == "not translated yet"
