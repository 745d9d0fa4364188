"""What podman and CRI-O say of their registries, as the probe's blocks."""

from __future__ import annotations

import pytest

from harbor_agent.node.wire.containers_image import decode_crio, decode_podman, read_applied
from harbor_agent.node.wire.framing import WireError

# Go's %+v of sysregistriesv2.V2RegistriesConf, in a line of logrus.
APPLIED = (
    'time="2026-11-30T09:00:00Z" level=info msg="Applied new registry configuration: &{Registries:['
    "{Prefix:h.lan Endpoint:{Location:h.lan Insecure:true PullFromMirror:} Mirrors:[] Blocked:false "
    "MirrorByDigestOnly:false} {Prefix:*.lan Endpoint:{Location: Insecure:false PullFromMirror:} "
    "Mirrors:[{Location:m.lan Insecure:true PullFromMirror:}] Blocked:false MirrorByDigestOnly:false} "
    "{Prefix:b.lan:5000/team Endpoint:{Location:b.lan:5000/team Insecure:true} Mirrors:[] Blocked:true "
    'MirrorByDigestOnly:false}] UnqualifiedSearchRegistries:[docker.io] ShortNameMode:enforcing}"\n'
)


def test_words_of_crio_are_its_registries() -> None:
    assert read_applied(APPLIED) == {"h.lan": True, "*.lan": False, "b.lan:5000/team": False}
    assert read_applied("") is None


def test_podman_and_crio_are_decoded() -> None:
    answer = (
        b'{"h.lan": {"Insecure": true, "Blocked": false}, "b.lan": {"Insecure": true, "Blocked": true}, "search": 1}'
    )
    podman, _ = decode_podman("podman.service", {"version": b"podman version 4.3.1\n", "registries": answer}, {})
    assert (podman.version, podman.registries) == ("4.3.1", {"h.lan": True, "b.lan": False})
    rejected, _ = decode_podman("podman.service", {"error": b"Error: getting registries: no\n"}, {})
    assert (rejected.registries, rejected.error) == (None, "getting registries: no")
    blocks = {"unit": b"ActiveState=active\n", "version": b"crio version 1.36.3\nVersion: 1.36.3\n", "argv": b"crio\0"}
    crio, _ = decode_crio("crio.service", {**blocks, "registries": APPLIED.encode()}, {})
    assert (crio.version, crio.socket, crio.argv) == ("1.36.3", "/run/crio/crio.sock", ("crio",))
    assert crio.registries == {"h.lan": True, "*.lan": False, "b.lan:5000/team": False}


def test_an_answer_that_is_not_json_is_rejected() -> None:
    with pytest.raises(WireError):
        decode_podman("podman.service", {"registries": b"{"}, {})
