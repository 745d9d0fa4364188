"""Programs for a node, composed of texts and payloads, and the framing of the documents that they print."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any

from harbor_agent.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_NUMBERS = {8: re.compile(r"[0-7]{1,11}"), 10: re.compile(r"[0-9]{1,10}"), 16: re.compile(r"[0-9a-fA-F]{1,8}")}
_CODE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_WORD = re.compile(r"[^\0-\x20\x7f]{1,255}")
_CALL = b'main "$@"\n'
_HINTS = {
    "node-answer-truncated": "run it again; check whether the node runs out of memory, or cuts long output",
    "node-answer-unknown": "run it again; check that /bin/sh is a POSIX shell there, with base64, sed, stat and tr",
}


class WireError(AgentError):
    """The output of a node that is not one of our documents, or only part of one.

    It concerns that node only: the callers turn it into a `Problem` of the node.
    """


def compose(texts: Sequence[str], payload: Mapping[str, bytes]) -> bytes:
    """Join shell texts into one program with `payload` as base64 variables just before the final call.

    They are quoted assignments and not here-documents, which bash writes to a file. The last text must end with the
    call of `main`; the others hold functions only.
    """
    program = "\n".join(texts).encode()
    if not program.endswith(b"\n" + _CALL):
        raise ValueError("a node program ends with the call of main")
    assignments = [name.encode() + b"='" + base64.b64encode(value) + b"'\n" for name, value in payload.items()]
    return program.removesuffix(_CALL) + b"".join(assignments) + _CALL


def unframe(stdout: bytes, schema: str) -> Iterator[str]:
    """Yield the lines between the markers of `schema`, without the output of a login shell around them.

    Raises WireError if a marker is missing: `node-answer-unknown` or `node-answer-truncated`. Bytes that
    are not UTF-8 come as surrogates (file names may hold any).
    """
    text = stdout.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    _, begin, rest = text.partition(f"{schema} begin\n")
    if not begin:
        raise refuse("node-answer-unknown", f"the node did not answer in the form {schema}: {_quote_last_line(text)}")
    body, end, _ = rest.rpartition(f"{schema} end\n")
    if not end or (body and not body.endswith("\n")):
        raise refuse("node-answer-truncated", f"the node's answer breaks off after {len(rest)} characters")
    # only a line feed ends a line: paths and what daemons say may hold anything else that str.splitlines() parts at
    yield from body.split("\n")[:-1]


def read_block(lines: Iterator[str]) -> bytes:
    """Read base64 lines up to the line with a dot. Raises WireError for anything else."""
    encoded: list[str] = []
    for line in lines:
        if line == ".":
            return decode_text("".join(encoded))
        encoded.append(line)
    raise refuse("node-answer-truncated", "a block in the node's answer has no end")


def decode_text(encoded: str) -> bytes:
    """Decode base64; "-" is empty. Raises WireError."""
    try:
        return b"" if encoded == "-" else base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise refuse("node-answer-unknown", "a block in the node's answer is not base64") from None


def parse_number(text: str, base: int = 10) -> int:
    """Read a number of at most 33 bits. Raises WireError."""
    if not _NUMBERS[base].fullmatch(text):
        raise refuse("node-answer-unknown", f"the node's answer has {text[:40]!r} where a number belongs")
    return int(text, base)


def read_code(text: str) -> str:
    """Read a problem code. Raises WireError."""
    return _read(_CODE, text, "a problem code")


def read_word(text: str, what: str) -> str:
    """Read a word without blanks and control characters, such as the name of a unit. Raises WireError."""
    return _read(_WORD, text, what)


def read_path(text: str) -> str:
    """Read an absolute path. Raises WireError."""
    if not text.startswith("/") or "\0" in text:
        raise refuse("node-answer-unknown", f"the node's answer has {text[:80]!r} where a path belongs")
    return text


def decode_json(content: bytes, schema: object) -> Any:  # noqa: ANN401 - a value of that type
    """Decode JSON of the type `schema`. Raises ValueError for anything else, also for nesting without end."""
    import msgspec  # noqa: PLC0415 - not needed for --help

    try:
        return msgspec.json.decode(content, type=schema)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(str(error)) from None


def refuse(code: str, message: str) -> WireError:
    """Build the error for an answer that cannot be used; `code` is one of those of `unframe`."""
    return WireError.of(code, message, _HINTS[code])


def _read(form: re.Pattern[str], text: str, what: str) -> str:
    if not form.fullmatch(text):
        raise refuse("node-answer-unknown", f"the node's answer has {text[:80]!r} where {what} belongs")
    return text


def _quote_last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return repr(lines[-1][:120]) if lines else "it printed nothing"
