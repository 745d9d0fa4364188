"""DNS messages as they are sent over TCP (RFC 1035, 4): one question, and the addresses of its answer."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass
from typing import Final

_HEADER: Final = struct.Struct("!6H")
_RECORD: Final = struct.Struct("!HHIH")  # type, class, seconds to live, length of the data
_LENGTH: Final = struct.Struct("!H")
_IS_ANSWER: Final = 0x8000
_RECURSION_DESIRED: Final = 0x0100
_CODE: Final = 0x000F
_POINTER: Final = 0xC0
_INTERNET: Final = 1
_ADDRESS_TYPES: Final = {4: 1, 6: 28}  # A and AAAA (RFC 3596), by the version of the address
_LONGEST_LABEL: Final = 63
_CODES: Final = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}


class DnsMessageError(ValueError):
    """Bytes that are not the answer to the question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsAnswer:
    """The answer of a server: its code, such as NXDOMAIN, and the addresses that it has."""

    code: str
    addresses: frozenset[str]

    def __str__(self) -> str:
        """Return it in a few words."""
        return ", ".join(sorted(self.addresses)) or (self.code if self.code != "NOERROR" else "no address")


def build_question(name: str, version: int, identity: int) -> bytes:
    """Return the question for the addresses of a name, of IP version 4 or 6, with its length in front.

    `identity` (16 bits) is repeated by the answer. Raises ValueError for a name that DNS cannot carry.
    """
    labels = name.removesuffix(".").encode("ascii").split(b".")
    if not all(0 < len(label) <= _LONGEST_LABEL for label in labels):
        raise ValueError(f"'{name}' is not a name of DNS")
    encoded = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    ending = struct.pack("!HH", _ADDRESS_TYPES[version], _INTERNET)
    message = _HEADER.pack(identity, _RECURSION_DESIRED, 1, 0, 0, 0) + encoded + ending
    return _LENGTH.pack(len(message)) + message


def is_complete(data: bytes) -> bool:
    """Whether the bytes received so far hold a whole message."""
    return len(data) >= _LENGTH.size and len(data) >= _LENGTH.size + _LENGTH.unpack_from(data)[0]


def parse_answer(data: bytes, identity: int) -> DnsAnswer:
    """Parse the answer to the question with this `identity`. Raises DnsMessageError."""
    if not is_complete(data):
        raise DnsMessageError("the answer breaks off")
    message = data[_LENGTH.size : _LENGTH.size + _LENGTH.unpack_from(data)[0]]
    try:
        found, flags, questions, answers, _, _ = _HEADER.unpack_from(message)
        if found != identity or not flags & _IS_ANSWER:
            raise DnsMessageError("it is the answer to another question")
        place = _HEADER.size
        for _ in range(questions):
            place = _skip_name(message, place) + 4
        addresses = set()
        for _ in range(answers):
            place = _skip_name(message, place)
            kind, family, _, length = _RECORD.unpack_from(message, place)
            place += _RECORD.size
            content = message[place : place + length]
            place += length
            if family == _INTERNET and kind in _ADDRESS_TYPES.values():
                addresses.add(str(ipaddress.ip_address(content)))
    except (struct.error, IndexError, ValueError) as error:
        if isinstance(error, DnsMessageError):
            raise
        raise DnsMessageError("it is not a DNS message") from None
    code = flags & _CODE
    return DnsAnswer(code=_CODES.get(code, f"code {code}"), addresses=frozenset(addresses))


def _skip_name(message: bytes, place: int) -> int:
    """Return where the name at `place` ends; a pointer ends it."""
    while length := message[place]:
        if length & _POINTER == _POINTER:
            return place + 2
        place += 1 + length
    return place + 1
