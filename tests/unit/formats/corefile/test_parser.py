"""Corefiles by position; tests/oracle compares the grammar with CoreDNS's own parser."""

from __future__ import annotations

import pytest

from harbor_agent.formats.corefile.parser import parse_corefile
from harbor_agent.formats.text import FormatError

KUBEADM = """\
# of the cluster
.:53 {
    errors
    health {
       lameduck 5s
    }
    hosts /etc/coredns/hosts lan { # a comment
       1.2.3.4 "git lan" other
       fallthrough
    }
    import custom/*.override
}
import custom/*.server
"""
FILES = {
    "/etc/coredns/custom/b.override": "log\n",
    "/etc/coredns/custom/a.server": "lan:53 {\n  errors\n}\n",
    "/etc/coredns/other/c.server": "other {\n}\n",
}


def test_every_word_has_its_place() -> None:
    for text in (KUBEADM, KUBEADM.replace("\n", "\r\n"), "\ufeff" + KUBEADM, KUBEADM.rstrip("\n")):
        for block in parse_corefile(text).blocks:
            for token in (*block.keys, *(token for directive in block.directives for token in directive.tokens)):
                assert text[token.start : token.end].strip('"') == token.text
                assert text[: token.start].count("\n") == token.line - 1


def test_a_directive_has_arguments_and_lines() -> None:
    (block,) = parse_corefile(KUBEADM).blocks
    errors, health, hosts = block.directives
    assert (errors.arguments, errors.opening, errors.lines, errors.closing) == ((), None, (), None)
    assert [line.texts for line in health.lines] == [("lameduck", "5s")]
    assert [token.text for token in hosts.arguments] == ["/etc/coredns/hosts", "lan"]
    assert [line.texts for line in hosts.lines] == [("1.2.3.4", "git lan", "other"), ("fallthrough",)]
    assert [brace.line for brace in (hosts.opening, hosts.closing) if brace] == [7, 10]


def test_imported_files_are_part_of_the_file_that_imports_them() -> None:
    found = parse_corefile(KUBEADM, FILES)
    assert [key.text for block in found.blocks for key in block.keys] == [".:53", "lan:53"]
    assert [one.files for one in found.blocks[0].imports] == [("/etc/coredns/custom/b.override",)]
    assert [one.files for one in found.imports] == [("/etc/coredns/custom/a.server",)]
    (log,) = found.blocks[0].find("log")
    assert log.tokens[0].file == "/etc/coredns/custom/b.override"


def test_words_of_a_snippet_say_so() -> None:
    found = parse_corefile("(shared) {\n  hosts {\n    1.2.3.4 a\n  }\n}\n. {\n  import shared\n  log\n}\n")
    assert found.snippets == ("shared",)
    assert [(one.name, one.tokens[0].snippet) for one in found.blocks[0].directives] == [
        ("hosts", "shared"),
        ("log", ""),
    ]


def test_a_file_that_is_not_known_is_noted() -> None:
    found = parse_corefile("import /etc/extra.conf\n. {\n  import common\n  import none/*.conf\n}\n")
    assert [(one.pattern, one.unseen) for one in found.imports] == [("/etc/extra.conf", True)]
    assert [(one.pattern, one.unseen) for one in found.blocks[0].imports] == [
        ("/etc/coredns/common", True),
        ("/etc/coredns/none/*.conf", False),
    ]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (". {\n errors\n", 2, "no closing"),
        (". {\n health {\n  lameduck 5s\n", 3, "the body of 'health' has no closing '}'"),
        (". {\n errors }\n", 2, "'}' without an opening '{'"),
        ("a,\n{\n}", 2, "expected another zone after the comma"),
        ("a,", 1, "the file ends after a comma"),
        ("import\n", 1, "import without a file"),
        ("import a b\n", 1, "import takes one file only"),
        ("import a/*/*.conf\n", 1, "more than one wildcard"),
        ("(s) {\n}\n(s) {\n}\n", 3, "the snippet 's' is defined twice"),
        ("(s)\nerrors\n", 2, "expected '{' after the snippet 's'"),
        ("(s) {\n import s\n}\n. {\n import s\n}\n", 2, "too many imports"),
    ],
)
def test_what_coredns_refuses_is_refused_with_its_line(text: str, line: int, reason: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_corefile(text)
    assert (caught.value.line, reason in caught.value.reason) == (line, True), caught.value.reason
