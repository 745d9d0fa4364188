"""What a problem quotes from a node is shown as the node's people wrote it."""

from __future__ import annotations

import pytest

from harbor_agent.errors import Problem
from harbor_agent.formats.redact import mask_problem, mask_text
from harbor_agent.formats.text import decode


@pytest.mark.parametrize(
    ("quoted", "shown"),
    [
        (decode("数据目录".encode()), "数据目录"),
        (decode("größe".encode()), "größe"),
        ("数据目录 größe", "数据目录 größe"),
        (b"\xca\xfd".decode("utf-8", "surrogateescape"), "\\xca\\xfd"),
        ("\ud800", "\\ud800"),
        ("\x1b[31m\x9b", "\\x1b[31m\\x9b"),
    ],
)
def test_text_of_nodes_is_readable(quoted: str, shown: str) -> None:
    problem = mask_problem(Problem(code="x", message=f"found '{quoted}' …", hint=quoted))

    assert (problem.message, problem.hint) == (f"found '{shown}' …", shown)


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ('password = "s3cret"', 'password = "***"'),
        ('auth = "dXNlcjpwYXNz"', 'auth = "***"'),
        ("identitytoken = 's3cret'", "identitytoken = '***'"),
        ('Authorization = "Basic s3cret"', 'Authorization = "***"'),
        ('authorization = ["Basic s3cret"]', "authorization = [***]"),
        ('"x-registry-token" = [\n  "s3cret",\n  "other",\n]', '"x-registry-token" = [***]'),
        ('cookie = ["a=s3cret"]', "cookie = [***]"),
        ('capabilities = ["pull"]', 'capabilities = ["pull"]'),
    ],
)
def test_passwords_of_registries_are_masked(content: str, shown: str) -> None:
    assert mask_text(content.encode()) == shown
