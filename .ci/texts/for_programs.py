"""Strings of the code that are prose at first sight, but for programs: not translated."""

from __future__ import annotations

import re

_SHELL = (
    *(
        r"\$\(",
        ">&",
        r"\$run",
        "; echo ",
        "/bin/sh -c",
        r"\bsudo (?:-|\{ask)",
        "^sudo",
        r"\bsu -s",
        "stty",
        "umask 077 &&",
    ),
    *(
        "^set -- ",
        "said=",
        "^LC_ALL=",
        "^echo ",
        r"^\{executable\} -",
        "do test ",
        "^base64",
        "^printf",
        r"^exec (?:\{|\d)",
        r"^if \[ ",
        "<<'",
        r"^\{executable\} \{",
        r"^\{quote\} ",
    ),
)
_SQL = (
    r"^(?:ALTER|CREATE|DELETE|DROP|INSERT|PRAGMA)\b",
    r"\b(?:NOT NULL|VALUES|STRICT|CONFLICT|json_\w+\(|SELECT|UPDATE run|UNIQUE)\b",
    r"\bexcluded\.",
)
# Commands to copy, and options of which every word is another option, a value or its name: the rest is prose.
_COMMANDS = (
    "^harbor-agent",
    "^openssl",
    "^kubectl [^,;]*$",
    r"^--?[a-zA-Z][\w-]*:?(?: (?:--?[a-zA-Z][\w-]*|[A-Z][A-Z=]*|\{\w+\}(?:=\w+)?|\w+=\S+))*$",
    "--from-file=",
    "^ProxyCommand=",
    "-o Server",
)
_FILES = (
    *(
        "^#",
        r"^\s{4,}",
        r"^\S+ = ",
        "^[a-z-]+:$",
        "^(?:apiVersion|kind|users|contexts|current-context): ",
        r"^\s*- name: ",
    ),
    *(
        r"^\[defaults ",
        r"^hosts \{",
        "^cache 30",
        r"\[\w+\]\]",
        r"^\{find_indent_in\}",
        r"^\\? ?No newline",
        "^Binary files",
    ),
)
_PROTOCOLS = (
    *(
        "application/vnd",
        r"^(?:Bearer|Basic) \{",
        "^tls: ",
        "^default-src ",
        "^remote error: ",
        "^server gave HTTP",
        r"^\{schema\} (?:begin|end)$",
    ),
    r"^(?:transaction|runtime|unit|action|deadline|config-file|live-restore) \{\w+\}$",
    r"^(?:expected|unexpected|name|arguments|change) \{\w+\}(?: \{\w+\})*$",
)
_PATTERNS = (r"%[sd.]", r"^\^", r"[\w)]\|[\w(]", r"\\[dSstw.(]", r"[\w\])]\.\*[\w ]", "x509:", r"\(\?i\)")
_TYPES = (r"^\w+\[", ": Any\\b", r"\| None$")
_NAMES_OF_OPTIONS = (r"^(?=(?:.*[a-z]-[a-z]){3})(?:[a-z\d]+(?:-[a-z\d]+)* )+[a-z\d]+(?:-[a-z\d]+)*$",)
_ALL = re.compile("|".join((*_SHELL, *_SQL, *_COMMANDS, *_FILES, *_PROTOCOLS, *_PATTERNS, *_TYPES, *_NAMES_OF_OPTIONS)))
_METRIC = re.compile(r"[A-Z].*\.")


def is_for_programs(template: str, *, is_help: bool) -> bool:
    """Whether a line is code, or the help text of a metric; only the help of commands has whole sentences."""
    return bool(_ALL.search(template)) or (not is_help and bool(_METRIC.fullmatch(template)))
