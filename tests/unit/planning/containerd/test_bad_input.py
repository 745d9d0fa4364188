"""Files that somebody broke make a refusal, never an error of the program; a plan that is made leads to its goal."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from harbor_agent.model.plan import Plan, Refusal
from tests.unit.planning.containerd.nodes import CERTS, CONFIG, HARBOR, HOSTS, applied, decide, node, unwant, want

CASES = Path(__file__).resolve().parents[3] / "cases/containerd"
WHOLE = [path.read_bytes() for path in sorted(CASES.rglob("*.toml"))]
CRI = b'[plugins."io.containerd.grpc.v1.cri"'
PIECES = [
    *(b"[", b"]", b'"', b"'", b"=", b"#", b"{", b"}", b"[[", b".", b"\xff", b"\r\n", b"\n\r\n", b"\xef\xbb\xbf"),
    *(
        b"plugins = 3\n",
        b'version = "2"\n',
        b"version = 3\n",
        b"config_path = 3\n",
        b"imports = 3\n",
        b"imports = [3]\n",
    ),
    *(b"disabled_plugins = {}\n", b"server = 3\n", b"host = []\n", b"host = {a = 1}\n", b"capabilities = 3\n"),
    *(b'[host."::://"]\n', b'[host."http://[::1"]\n', b'[host."http://192.168.0.99:x"]\n'),
    *(CRI + b"]\nregistry = 4\n", CRI + b'.registry.mirrors.""]\n', CRI + b'.registry.mirrors."a/b"]\n'),
    *(CRI + b'.registry.mirrors."192.168.0.99"]\nendpoint = 3\n', CRI + b".registry.configs]\na = 3\n"),
    *(CRI + b'.registry.configs."x"]\ntls = 3\n', b'[plugins."io.containerd.cri.v1.images"]\n'),
]


def spoil(chance: random.Random) -> bytes:
    content = chance.choice(WHOLE)
    for _ in range(chance.randrange(4)):
        at, what = chance.randrange(len(content) + 1), chance.random()
        if what < 0.6:
            content = content[:at] + chance.choice(PIECES) + content[at:]
        elif what < 0.8:
            content = content[:at] + content[at + chance.randrange(20) :]
        else:
            content += chance.choice(WHOLE)
    return content


@pytest.mark.parametrize("version", ["1.6.20", "1.7.24", "2.1.9", "2.2.0", "2.3.4", ""])
@pytest.mark.parametrize("seed", range(20))
def test_broken_files_are_refused_or_planned(version: str, seed: int) -> None:
    chance = random.Random(f"{version} {seed}")
    for _ in range(8):
        files = {CONFIG: spoil(chance), HOSTS: spoil(chance), "/etc/containerd/conf.d/10.toml": spoil(chance)}
        if chance.random() < 0.2:
            files[f"{CERTS}/_default/hosts.toml"] = spoil(chance)
        state = node(files, version)
        for desired in (want(HARBOR), want(HARBOR, repair=True), unwant(HARBOR)):
            decision = decide(state, desired)
            if isinstance(decision, Refusal):
                assert decision.problem.code
                continue
            again = decide(applied(state, decision), desired)
            assert isinstance(again, Plan)
            assert again.is_empty
