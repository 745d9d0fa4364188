"""One registry more in registries.yaml: exactly that changes, and the way back is byte for byte."""

from __future__ import annotations

import pytest
import yaml

from harbor_agent.formats.registries_yaml.additions import add_endpoint, render_registries
from harbor_agent.formats.registries_yaml.document import RegistriesFile
from harbor_agent.formats.registries_yaml.removals import remove_endpoints
from harbor_agent.formats.text import FormatError

HOST, URL = "192.168.0.99", "http://192.168.0.99"

TEXTS = {
    "empty": "",
    "comment": "# c",
    "comment on a line": "# c\n",
    "no value": "mirrors:\n",
    "no value and a comment": "mirrors: # none\nconfigs:\n  a: {}\n",
    "empty brackets": "mirrors: {}\n",
    "blank in empty brackets": "mirrors: { }\n",
    "no mirrors": "configs:\n  a:\n    tls: {}\n",
    "no mirrors, no line end": "# top\n\nconfigs:\n  a:\n    tls: {}",
    "dash below its key": "mirrors:\n  a.lan:\n    endpoint:\n    - http://a.lan\nconfigs:\n",
    "comment at the end": "mirrors:\n  a.lan:\n    endpoint:\n    - http://a.lan # x",
    "CRLF": "mirrors:\r\n  a.lan:\r\n    endpoint:\r\n    - http://a.lan\r\nconfigs:\r\n",
    "four blanks": "mirrors:\n    a.lan:\n        endpoint: ['http://a.lan']\n    # note\n",
    "for all": 'mirrors:\n  "*":\n',
    "registry without a value": "mirrors:\n  192.168.0.99:\n",
    "endpoint without a value": "mirrors:\n  192.168.0.99:\n    endpoint:\n",
    "no endpoints": "mirrors:\n  192.168.0.99:\n    endpoint: []\n",
    "registry with empty brackets": "mirrors:\n  192.168.0.99: {}\n",
    "HTTPS": "mirrors:\n  192.168.0.99:\n    endpoint:\n      - https://192.168.0.99\n",
    "HTTPS in brackets": "mirrors:\n  192.168.0.99:\n    endpoint: [https://192.168.0.99]\n",
    "rewrites": "mirrors:\n  192.168.0.99:\n    rewrite:\n      a: b\n",
    "JSON": '{"mirrors": {}, "configs": {}}',
    "empty JSON": "{}",
    "JSON without mirrors": '{"configs": {"a": {}}}',
    "JSON with mirrors": '{"mirrors": {"a": {"endpoint": ["http://a"]}}}',
    "JSON on lines": '{\n  "configs": {\n    "a": {}\n  }\n}\n',
    "brackets": "mirrors: {a: {endpoint: [http://a]}}\n",
    "a document's marks": "---\nmirrors:\n  a: \n    endpoint: [http://a]\n...\n",
    "byte order mark": "\ufeffmirrors:\n  a:\n",
    "other letters": "# 注释\nmirrors:\n  é:\n    endpoint: [http://a]\n",
    "indented": "  mirrors:\n    a:\n",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_one_registry_is_added_and_removed_again(text: str) -> None:
    before = yaml.safe_load(text) or {}
    changed = add_endpoint(text.encode(), HOST, URL)
    after = yaml.safe_load(changed)
    mirror = (before.get("mirrors") or {}).get(HOST) or {}
    wanted = {**mirror, "endpoint": [URL, *(mirror.get("endpoint") or [])]}
    assert after == {**before, "mirrors": {**(before.get("mirrors") or {}), HOST: wanted}}
    kept = [line for line in text.splitlines() if line.lstrip().startswith("#")]
    assert [line for line in changed.decode().splitlines() if line.lstrip().startswith("#")] == kept
    assert remove_endpoints(changed, HOST, [URL]) == text.encode()


def test_a_file_of_its_own_holds_the_registry_only() -> None:
    assert yaml.safe_load(render_registries(HOST, URL)) == {"mirrors": {HOST: {"endpoint": [URL]}}}


def test_of_several_endpoints_each_one_goes() -> None:
    text = "mirrors:\n  h:\n    endpoint:\n      - http://h\n      - https://m # kept\n      - http://h\n"
    left = remove_endpoints(text.encode(), "h", ["http://h"]).decode()
    assert left == "mirrors:\n  h:\n    endpoint:\n      - https://m # kept\n"
    flow = b"mirrors: {h: {endpoint: [http://h, https://m, http://h]}}\n"
    assert remove_endpoints(flow, "h", ["http://h"]) == b"mirrors: {h: {endpoint: [https://m]}}\n"


def test_a_registry_that_others_were_added_around_goes_alone() -> None:
    text = add_endpoint(b"configs: {}\n", HOST, URL).decode()
    grown = text.replace("configs", "  # ours\n  docker.io:\nconfigs")
    left = remove_endpoints(grown.encode(), HOST, [URL]).decode()
    assert left == "mirrors:\n  # ours\n  docker.io:\nconfigs: {}\n"


REJECTED = {
    "not UTF-8": (b"mirrors:\n  a: \xff\n", 2),
    "text": (b"mirrors", 1),
    "two documents": (b"mirrors:\n---\nconfigs:\n", 3),
    "list": (b"mirrors:\n  a:\n    endpoint: x\n", 3),
    "item": (b"mirrors:\n  a:\n    endpoint:\n    - [x]\n", 4),
    "mirror": (b"mirrors:\n  a: x\n", 2),
    "number as a key": (b"mirrors:\n  5000:\n", 2),
}


@pytest.mark.parametrize(("content", "line"), REJECTED.values(), ids=REJECTED)
def test_a_file_that_is_rejected_names_its_line(content: bytes, line: int) -> None:
    with pytest.raises(FormatError) as error:
        RegistriesFile(content)
    assert error.value.line == line


@pytest.mark.parametrize(
    "text",
    [
        "mirrors: &m\n  a:\nconfigs: *m\n",
        "x: &m\n  a:\nmirrors:\n  <<: *m\n  192.168.0.99: ~\n",
        "mirrors: null\n",
        "---\n",
        "mirrors:\n  a:\n    note: |\n      text\n",
        "configs: &c\n  - *c\n",
    ],
)
def test_an_edit_that_is_not_exact_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        add_endpoint(text.encode(), HOST, URL)


def test_a_value_of_any_type_stays() -> None:
    text = "configs:\n  a: {auth: {password: !!timestamp x}, since: 2026-13-45, port: 0o7, ok: yes}\n"
    changed = add_endpoint(text.encode(), HOST, URL)
    assert changed.decode().endswith(text)
    assert remove_endpoints(changed, HOST, [URL]) == text.encode()
