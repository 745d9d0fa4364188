"""The certificates of a registry in registries.yaml: exactly they are added, and the way back is byte for byte."""

from __future__ import annotations

import pytest
import yaml

from harbor_agent.formats.registries_yaml.additions import add_endpoint
from harbor_agent.formats.registries_yaml.certificates import (
    remove_certificates,
    render_certificates,
    set_certificates,
)
from harbor_agent.formats.registries_yaml.document import RegistriesFile
from harbor_agent.formats.registries_yaml.removals import remove_endpoints
from harbor_agent.formats.text import FormatError
from tests.unit.formats.registries_yaml.test_edits import HOST, TEXTS, URL

FILES = {"ca_file": "/etc/rancher/k3s/harbor-agent-a.crt"}
PAIR = {"cert_file": "/etc/rancher/k3s/harbor-agent-a.cert", "key_file": "/etc/rancher/k3s/harbor-agent-a.key"}
OWN = {
    "settings without a value": f"configs:\n  {HOST}:\n",
    "settings in empty brackets": f"configs:\n  {HOST}: {{}}\n",
    "TLS without a value": f"configs:\n  {HOST}:\n    tls:\n    auth:\n      username: a\n",
    "TLS in empty brackets": f"configs:\n  {HOST}:\n    tls: {{}}\n",
    "another setting of TLS": f"configs:\n  {HOST}:\n    tls:\n      insecure_skip_verify: false # no\n",
    "a login": f'configs:\n  "{HOST}":\n    auth: {{username: a, password: b}}\n# end\n',
    "a login in brackets": f'configs: {{"{HOST}": {{"auth": {{"username": "a"}}}}}}\n',
    "JSON with TLS": f'{{"configs": {{"{HOST}": {{"tls": {{}}}}}}}}',
    "nothing in configs": "configs:\nmirrors:\n",
    "others": "configs:\n  b.lan:\n    tls:\n      ca_file: /b.crt\n\nmirrors:\n  b.lan:\n    endpoint: [http://b.lan]\n",
}


@pytest.mark.parametrize("files", [FILES, FILES | PAIR], ids=["authorities", "client too"])
@pytest.mark.parametrize("text", [*TEXTS.values(), *OWN.values()], ids=[*TEXTS, *OWN])
def test_certificates_are_added_and_removed_again(text: str, files: dict[str, str]) -> None:
    before = yaml.safe_load(text) or {}
    changed = set_certificates(text.encode(), HOST, files)
    own = ((before.get("configs") or {}).get(HOST)) or {}
    wanted = {**own, "tls": {**(own.get("tls") or {}), **files}}
    assert yaml.safe_load(changed) == {**before, "configs": {**(before.get("configs") or {}), HOST: wanted}}
    assert set_certificates(changed, HOST, files) == changed
    assert RegistriesFile(changed).configs[HOST].tls.items() >= files.items()
    assert remove_certificates(changed, HOST, files) == text.encode()


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_endpoint_and_certificates_of_two_registries_leave_without_a_trace(text: str) -> None:
    changed = set_certificates(add_endpoint(text.encode(), HOST, URL), "b.lan", FILES)
    assert remove_certificates(remove_endpoints(changed, HOST, [URL]), "b.lan", FILES) == text.encode()


def test_a_file_of_our_own_says_nothing_else() -> None:
    text = render_certificates(HOST, FILES)
    assert yaml.safe_load(text) == {"configs": {HOST: {"tls": FILES}}}


def test_a_path_of_somebody_else_is_not_replaced() -> None:
    text = f"configs:\n  {HOST}:\n    tls:\n      ca_file: /mine.crt\n"
    with pytest.raises(FormatError, match=r"'ca_file' of .* names another file"):
        set_certificates(text.encode(), HOST, FILES)
    assert remove_certificates(text.encode(), HOST, FILES) == text.encode()


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("mirrors:\nconfigs: a\n", 2, "not a mapping"),
        ("configs:\n  a:\n    - b\n", 2, "a is not a mapping"),
        ("configs:\n  a:\n    tls: true\n", 3, "tls of a is not a mapping"),
        ("configs: &a\n  b: {}\nmirrors: *a\n", 1, "shared"),
    ],
)
def test_what_the_daemon_rejects_or_others_share_is_named_with_its_line(text: str, line: int, reason: str) -> None:
    with pytest.raises(FormatError) as caught:
        set_certificates(text.encode(), HOST, FILES)
    assert caught.value.line == line
    if reason != "shared":
        assert reason in caught.value.reason
