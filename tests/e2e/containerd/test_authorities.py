"""A CA that programs other than containerd need too, and one of a token service, on each version of containerd."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.e2e.site import IMAGE, PULLER
from tests.lab import cri
from tests.lab.base import CONTAINERD_VERSIONS
from tests.lab.certificates import Authority
from tests.lab.images import busybox_root
from tests.lab.registry import running_registry, running_token_service

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.e2e.site import Site
    from tests.lab.node import LabNode
    from tests.lab.registry import RunningRegistry

pytestmark = [pytest.mark.needs("nodes"), pytest.mark.timeout(900)]

_AT_ONCE = {"canary": len(CONTAINERD_VERSIONS), "max_failed": "100%"}
_MIRRORS = """
[plugins."io.containerd.grpc.v1.cri".registry.mirrors."docker.io"]
  endpoint = ["https://registry-1.docker.io"]
"""


def can_pull_from(node: LabNode, image: str) -> bool:
    """Whether containerd pulls the image, which then does not stay; a refusal is one of its certificate."""
    try:
        cri.pull(node, image)
    except cri.CriError as error:
        if "unknown authority" not in error.message:
            raise
        return False
    cri.remove_image(node, image)
    return True


def test_the_ca_in_the_trust_store_is_read_when_containerd_starts(site: Site, tmp_path: Path) -> None:
    """Other programs have it at once; containerd keeps its roots until a restart, as the plan says."""
    lab, nodes, entry = site.lab, site.lab.nodes[: len(CONTAINERD_VERSIONS)], f"{site.lab.address}:5445"
    authority, inventory = Authority(), lab.write_inventory("store.ini", nodes=nodes)
    list_store = "cd /etc/ssl/certs && sha256sum ca-certificates.crt && find . -printf '%p %l\\n' | sort"
    (tmp_path / "ca.crt").write_bytes(authority.pem)
    trusted = {"address": f"https://{entry}", "ca_file": str(tmp_path / "ca.crt"), "system_trust": True}
    settings, folder = tmp_path / "settings.yaml", f"/etc/containerd/certs.d/{entry}"
    settings.write_text(json.dumps({"registries": [{**trusted, "verify_image": IMAGE}], "rollout": _AT_ONCE}))

    def trusts() -> list[bool]:
        return [node.succeeds(f"curl -sfm 20 -o /dev/null https://{entry}/v2/") for node in nodes]

    def can_pull() -> list[bool]:
        return [can_pull_from(node, f"{entry}/{IMAGE}") for node in nodes]

    def restart() -> None:
        for node in nodes:
            node.run("systemctl restart containerd")
            node.wait_ready()

    def agent(command: str, *arguments: str) -> str:
        ended = site.agent(command, "-i", inventory, "-c", settings, "-o", "json", *arguments, "--yes")
        assert ended.code == 0, ended.stdout + ended.stderr
        return str(ended.document["run_id"])

    with running_registry(tmp_path / "data", host=lab.address, port=5445, prefix=lab.network.inside(())) as registry:
        registry.push(*IMAGE.split(":"), root=busybox_root(nodes[0].base))
    before = [node.run(list_store).stdout for node in nodes]
    tls = authority.issue([lab.address]).serve_from(tmp_path / "tls")
    with running_registry(tmp_path / "data", host=lab.address, port=5445, prefix=lab.network.inside(()), tls=tls):
        assert (trusts(), can_pull()) == ([False] * 3, [False] * 3)
        planned = site.agent("plan", "-i", inventory, "-c", settings, "-o", "json").document["nodes"]
        assert [[one["code"] for one in node["warnings"]] for node in planned] == [["trust-store-not-read"]] * 3
        assert "restart containerd" in planned[0]["warnings"][0]["hint"]
        run_id = agent("apply")
        for node in nodes:
            node.run(f"mv {folder} /root/aside")
        assert (trusts(), can_pull()) == ([True] * 3, [False] * 3)
        restart()
        assert can_pull() == [True] * 3
        for node in nodes:
            node.run(f"mv /root/aside {folder}")
        agent("rollback", run_id)
        assert (trusts(), can_pull()) == ([False] * 3, [True] * 3)
        restart()
        assert can_pull() == [False] * 3
        agent("apply")
        agent("apply", "--registry", f"https://{entry}", "--absent")
        assert trusts() == [False] * 3
    assert [node.run(list_store).stdout for node in nodes] == before
    assert [node.run("ls /usr/local/share/ca-certificates").stdout for node in nodes] == [""] * 3


def test_a_token_service_with_another_ca_needs_it_among_those_of_the_registry(site: Site, tmp_path: Path) -> None:
    lab, nodes, address = site.lab, site.lab.nodes[: len(CONTAINERD_VERSIONS)], site.lab.address
    good, tokens, inventory = Authority(), Authority(name="Token CA"), lab.write_inventory("token.ini", nodes=nodes)
    (tmp_path / "password").write_text(PULLER.password)
    login = {"username": PULLER.name, "password_file": str(tmp_path / "password")}
    registry = {"address": f"https://{address}:5446", "verify_image": IMAGE, "credentials": login}

    def apply(*authorities: Authority, **fields: str) -> list[tuple[str | None, bool | None]]:
        (tmp_path / "ca.crt").write_bytes(b"".join(one.pem for one in authorities))
        settings = tmp_path / "settings.yaml"
        one = {**registry, "ca_file": str(tmp_path / "ca.crt"), **fields}
        settings.write_text(json.dumps({"registries": [one], "rollout": _AT_ONCE}))
        ended = site.agent("apply", "-i", inventory, "-c", settings, "--yes", "-o", "json")
        return [(node["code"], node["verified"]) for node in ended.document["nodes"]]

    inside = lab.network.inside(())
    with running_registry(tmp_path / "data", host=address, port=5446, prefix=inside) as plain:
        plain.push(*IMAGE.split(":"), root=busybox_root(nodes[0].base))
    serving = running_registry(
        tmp_path / "data",
        authentication="token",
        logins=[PULLER],
        host=address,
        port=5446,
        prefix=inside,
        tls=good.issue([address]).serve_from(tmp_path / "registry"),
        realm=f"https://{address}:5447/service/token",
    )
    other = tokens.issue([address]).serve_from(tmp_path / "tokens")
    with serving as front, running_token_service(front, 5447, other):
        assert apply(good) == [("certificate-ca-missing", False)] * len(nodes)
        assert apply(good, tokens) == [(None, True)] * len(nodes)
        assert [code for code, _ in apply(good, tokens, state="absent")] == [None] * len(nodes)


def test_beside_mirrors_the_ca_is_in_tls_settings_before_containerd_2(site: Site, tmp_path: Path) -> None:
    lab, nodes, entry = site.lab, site.lab.nodes[len(CONTAINERD_VERSIONS) :], f"{site.lab.address}:5448"
    image, inventory, first, second = (
        f"{entry}/{IMAGE}",
        lab.write_inventory("tls.ini", nodes=nodes),
        Authority(),
        Authority(),
    )
    original = [node.run("cat /etc/containerd/config.toml").stdout for node in nodes]
    for node, text in zip(nodes, original, strict=True):
        node.run("cat >/etc/containerd/config.toml", stdin=(text + _MIRRORS).encode())
        node.run("systemctl restart containerd")
        node.wait_ready()
    before = [site.files(node) for node in nodes]
    pods = [cri.list_processes(node) for node in nodes]

    def apply(*authorities: Authority, **fields: str) -> list[tuple[str | None, str, bool | None]]:
        (tmp_path / "ca.crt").write_bytes(b"".join(one.pem for one in authorities))
        registry = {"address": f"https://{entry}", "ca_file": str(tmp_path / "ca.crt"), "verify_image": IMAGE, **fields}
        settings = tmp_path / "settings.yaml"
        settings.write_text(json.dumps({"registries": [registry], "rollout": _AT_ONCE}))
        ended = site.agent("apply", "-i", inventory, "-c", settings, "--yes", "-o", "json")
        return [(node["code"], node["action"], node["verified"]) for node in ended.document["nodes"]]

    def serve(authority: Authority | None) -> AbstractContextManager[RunningRegistry]:
        tls = authority.issue([lab.address]).serve_from(tmp_path / "tls") if authority else False
        return running_registry(tmp_path / "data", host=lab.address, port=5448, prefix=lab.network.inside(()), tls=tls)

    with serve(None) as plain:
        plain.push(*IMAGE.split(":"), root=busybox_root(nodes[0].base))
    refused = ("ca-not-distributed", "none", None)
    with serve(first):
        assert apply(first) == [(None, "restart", True)] * 2 + [refused]
        assert [can_pull_from(node, image) for node in nodes] == [True, True, False]
    with serve(second):
        assert apply(first, second) == [(None, "none", True)] * 2 + [refused]
        assert [code for code, _, _ in apply(first, second, state="absent")] == [None] * 3
        assert [can_pull_from(node, image) for node in nodes] == [False] * 3
    assert [site.files(node) for node in nodes] == before
    assert [cri.list_processes(node) for node in nodes] == pods
    for node, text in zip(nodes, original, strict=True):
        # The mirrors go by hand, and a later `rollback --pristine` would restore them.
        node.run("cat >/etc/containerd/config.toml; rm -r /var/lib/harbor-agent", stdin=text.encode())
        node.run("systemctl restart containerd")
        node.wait_ready()
