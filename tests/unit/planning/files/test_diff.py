"""Diffs that people see: complete, and without secrets."""

from __future__ import annotations

import pytest

from harbor_agent.formats.redact import mask_text
from harbor_agent.model.plan import FileChange
from harbor_agent.model.state import FileKind, FileState
from harbor_agent.planning.files.diff import render_diff


def file(content: bytes | None, mode: int = 0o644) -> FileState:
    if content is None:
        return FileState(path="/etc/x")
    return FileState(path="/etc/x", kind=FileKind.REGULAR, content=content, mode=mode)


def diff(before: bytes | None, after: bytes | None) -> str:
    return render_diff(FileChange(before=file(before), after=file(after), reason=""))


def test_headers_carry_mode_and_owner() -> None:
    assert diff(b"a\n", b"b\n") == "--- /etc/x\t0644 0:0\n+++ /etc/x\t0644 0:0\n@@ -1 +1 @@\n-a\n+b\n"


def test_an_absent_side_is_dev_null() -> None:
    assert diff(None, b"a\n") == "--- /dev/null\n+++ /etc/x\t0644 0:0\n@@ -0,0 +1 @@\n+a\n"
    assert diff(b"a\n", None).startswith("--- /etc/x\t0644 0:0\n+++ /dev/null\n")


def test_a_missing_line_end_is_shown() -> None:
    assert diff(b"a", b"a\n").endswith("-a\n\\ No newline at end of file\n+a\n")


def test_an_empty_file_made_or_a_mode_alone_still_has_headers() -> None:
    assert diff(None, b"") == "--- /dev/null\n+++ /etc/x\t0644 0:0\n"
    change = FileChange(before=file(b"a"), after=file(b"a", 0o600), reason="")
    assert render_diff(change) == "--- /etc/x\t0644 0:0\n+++ /etc/x\t0600 0:0\n"


def test_binary_files_are_not_dumped_and_invalid_text_is_escaped() -> None:
    assert diff(b"\0a", b"b") == "--- /etc/x\t0644 0:0\n+++ /etc/x\t0644 0:0\nBinary files differ\n"
    assert "\\xff\\x1b[2J" in diff(b"a\n", b"\xff\x1b[2J\n")


@pytest.mark.parametrize(
    "text",
    [
        'Environment="HTTP_PROXY=http://user:s3cret@proxy:3128"',
        "HTTPS_PROXY=user:s3cret@proxy:3128",
        '{"auths": {"h": {"auth": "s3cret"}}}',
        '{"identitytoken":"s3cret"}',
        "--log-opt splunk-token=s3cret --log-opt tag=x",
        "DB_PASSWORD='s3cret'",
        "password: s3cret",
        '"registry-mirrors": ["https://u:s3cret@m.lan"]',
        "http://u:p@s3cret@proxy:1",
    ],
)
def test_secrets_are_masked(text: str) -> None:
    shown = mask_text(text.encode())
    assert "s3cret" not in shown
    assert "***" in shown


@pytest.mark.parametrize(
    "text",
    [
        'Environment="DOCKER_OPTS=--insecure-registry=192.168.0.99"',
        '"authorization-plugins": ["x"]',
        "http://proxy:3128/path@2x.png",
        "\ttabs and é stay",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert mask_text(text.encode()) == text
