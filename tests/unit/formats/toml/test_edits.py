"""Edits of TOML change one thing, keep every other byte, and can be undone."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest

from harbor_agent.formats.text import FormatError
from harbor_agent.formats.toml.document import parse_toml
from harbor_agent.formats.toml.edits import add_table, remove_key, remove_table, set_value

if TYPE_CHECKING:
    from collections.abc import Callable

CRI = ("plugins", "io.containerd.grpc.v1.cri", "registry")
NESTED = b"""version = 2

[plugins]
  [plugins."io.containerd.grpc.v1.cri"] # ours
    sandbox_image = "registry.lan/pause:3.9"
    [plugins."io.containerd.grpc.v1.cri".cni]
      bin_dir = "/usr/lib/cni"

[grpc]
  address = '''
[not.a.header]
'''
"""
SINGLE = b"""[plugins]
[plugins.'io.containerd.grpc.v1.cri']
[plugins.'io.containerd.grpc.v1.cri'.registry]
[plugins.'io.containerd.grpc.v1.cri'.registry.mirrors]
[plugins.'io.containerd.grpc.v1.cri'.registry.mirrors.'harbor.lan']
endpoint = ['http://harbor.lan']
"""
DOTTED = b"""version = 2
[plugins]
"io.containerd.grpc.v1.cri".sandbox_image = "pause"
"io.containerd.grpc.v1.cri".registry.headers = {}
"""


def test_a_key_gets_a_table_of_its_own_beside_its_neighbours_with_their_indent() -> None:
    edited = set_value(parse_toml(NESTED), (*CRI, "config_path"), "/etc/containerd/certs.d")
    added = b"""    [plugins."io.containerd.grpc.v1.cri".registry]
      config_path = "/etc/containerd/certs.d"
"""
    assert edited == NESTED.replace(b'"/usr/lib/cni"\n', b'"/usr/lib/cni"\n' + added)


def test_a_value_is_replaced_in_its_own_quotes() -> None:
    content = b"[a]\nconfig_path = '' # by default\n"
    assert set_value(parse_toml(content), ("a", "config_path"), "/x") == b"[a]\nconfig_path = '/x' # by default\n"


def test_new_text_has_the_quotes_of_the_file() -> None:
    edited = add_table(parse_toml(SINGLE), (*CRI, "mirrors", "192.168.0.99"), {"endpoint": ["http://192.168.0.99"]})
    added = (
        b"[plugins.'io.containerd.grpc.v1.cri'.registry.mirrors.'192.168.0.99']\nendpoint = ['http://192.168.0.99']\n"
    )
    assert edited == SINGLE + added


def test_a_key_joins_dotted_keys_with_their_prefix() -> None:
    edited = set_value(parse_toml(DOTTED), (*CRI, "config_path"), "/certs")
    assert edited == DOTTED + b'"io.containerd.grpc.v1.cri".registry.config_path = "/certs"\n'


@pytest.mark.parametrize("content", [NESTED, SINGLE, DOTTED.replace(b".registry.headers = {}", b".x = 1"), b""])
@pytest.mark.parametrize("change", [lambda c: c, lambda c: c.replace(b"\n", b"\r\n"), lambda c: c.rstrip(b"\n")])
def test_what_was_added_is_removed_byte_for_byte(content: bytes, change: Callable[[bytes], bytes]) -> None:
    before = change(content)
    path = (*CRI, "mirrors", "192.168.0.99")
    edited = add_table(parse_toml(before), path, {"endpoint": ["http://192.168.0.99"]})
    assert tomllib.loads(edited.decode())["plugins"][CRI[1]]["registry"]["mirrors"]["192.168.0.99"]
    assert (b"\r\n" in edited) == (b"\r\n" in before)
    assert edited.replace(b"\r\n", b"").count(b"\r") == 0
    assert remove_table(parse_toml(edited), path) == before


def test_a_byte_order_mark_stays() -> None:
    edited = set_value(parse_toml(b"\xef\xbb\xbfversion = 2\n"), ("version",), 3)
    assert edited == b"\xef\xbb\xbfversion = 3\n"


def test_a_key_of_the_root_is_written_before_the_first_table() -> None:
    assert set_value(parse_toml(b"# x\n[a]\nb = 1\n"), ("version",), 2) == b"# x\nversion = 2\n\n[a]\nb = 1\n"
    assert set_value(parse_toml(b"a = 1\n"), ("version",), 2) == b"version = 2\na = 1\n"


def test_a_key_is_removed_with_its_line() -> None:
    assert remove_key(parse_toml(b"a = 1\nb = [\n  2,\n] # c\nd = 3\n"), ("b",)) == b"a = 1\nd = 3\n"


@pytest.mark.parametrize("content", [b"[a]\nregistry = 1\n", b"[[a.registry]]\nb = 1\n"])
def test_what_is_not_one_table_is_not_edited(content: bytes) -> None:
    with pytest.raises(FormatError):
        set_value(parse_toml(content), ("a", "registry", "config_path"), "/x")


@pytest.mark.parametrize(
    ("content", "line"), [(b"a = 1\nb =\n", 2), (b"a = 1\na = 2\n", 2), (b"a = 1\nb = '\xff'\n", 2)]
)
def test_a_fault_has_its_line(content: bytes, line: int) -> None:
    with pytest.raises(FormatError) as error:
        parse_toml(content)
    assert error.value.line == line


def test_values_are_found_whatever_is_in_strings_and_comments() -> None:
    content = b"""a = "]#" # [b]
c = [ "x]", # y]
  'z' ]
"d.e" . f = \"\"\"
[g]
\"\"\"
[ h . "i.j" ]
k = { l = "}", m = [1, 2] }
"""
    file = parse_toml(content)
    assert [one.path for one in file.statements] == [("a",), ("c",), ("d.e", "f"), ("h", "i.j"), ("h", "i.j", "k")]
    texts = [file.text[one.value_start : one.value_end] for one in file.statements if not one.is_header]
    assert texts[0] == '"]#"'
    assert texts[1].endswith("'z' ]")
    assert texts[3] == '{ l = "}", m = [1, 2] }'
