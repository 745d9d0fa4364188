"""From a login to a pull: the login is validated, nodes change, the secret is made, and a node pulls with it."""

from __future__ import annotations

import base64
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.e2e.site import IMAGE, PULLER

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.site import Ended, Site
    from tests.lab.apiserver import RunningApiServer
    from tests.lab.node import LabNode

pytestmark = pytest.mark.needs("nodes", "apiserver")

_NAMESPACES = ("secret-a", "secret-b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What happened, in this order; `payloads` is what each namespace's secret held."""

    site: Site
    validate: Ended
    apply: Ended
    payloads: list[bytes]
    second: Ended
    remove: Ended


@pytest.fixture(scope="module")
def story(fresh_site: Site, apiserver: RunningApiServer, tmp_path_factory: pytest.TempPathFactory) -> Story:
    site = fresh_site
    for name in _NAMESPACES:
        apiserver.create_namespace(name, "default")
    password = _password_file(tmp_path_factory.mktemp("login"))
    kubeconfig = ("--kubeconfig", apiserver.kubeconfig())
    registry = ("--registry", site.registry.entry)
    login = (*registry, "--username", PULLER.name, "--password-file", password)
    places = [option for name in _NAMESPACES for option in ("-n", name)]
    inventory = site.lab.write_inventory("secret.ini", nodes=site.nodes[2:])
    wish = ("-i", inventory, *login, *kubeconfig, *places, "--service-account", "default", "--yes", "-o", "json")
    return Story(
        site=site,
        validate=site.agent("secret", "validate", *login, "--verify-image", IMAGE),
        apply=site.agent("apply", *wish),
        payloads=[_payload(apiserver, name) for name in _NAMESPACES],
        second=site.agent("apply", *wish),
        remove=site.agent("secret", "remove", *registry, *kubeconfig, *places, "--yes", "-o", "json"),
    )


def _password_file(folder: Path) -> Path:
    path = folder / "password"
    path.write_text(PULLER.password)
    return path


def _payload(apiserver: RunningApiServer, namespace: str) -> bytes:
    secret = apiserver.ask("GET", f"/api/v1/namespaces/{namespace}/secrets/harbor-pull")
    return base64.b64decode(secret["data"][".dockerconfigjson"])


def _pull_with(node: LabNode, site: Site, payload: bytes) -> int:
    """Pull as kubelet's runtime does, with just what the secret holds."""
    command = (
        "export DOCKER_CONFIG=$(mktemp -d -p /run) && trap 'rm -rf $DOCKER_CONFIG' EXIT; "
        f"printf %s {shlex.quote(payload.decode())} >$DOCKER_CONFIG/config.json && docker pull {site.image}"
    )
    return node.run(command, check=False).returncode


def test_the_login_is_validated_and_everything_is_done(story: Story) -> None:
    assert story.validate.code == 0, story.validate.stderr
    assert story.apply.code == 0, story.apply.stderr
    assert story.apply.document["secret"]["status"] == "changed"
    assert story.second.document["secret"]["status"] == "unchanged"


def test_a_node_pulls_with_what_the_secret_holds(story: Story) -> None:
    node = story.site.nodes[2]
    assert _pull_with(node, story.site, b"{}") != 0
    assert [_pull_with(node, story.site, payload) for payload in story.payloads] == [0, 0]


def test_removal_leaves_neither_secret_nor_attachment(story: Story, apiserver: RunningApiServer) -> None:
    assert story.remove.code == 0, story.remove.stderr
    for name in _NAMESPACES:
        assert apiserver.ask("GET", f"/api/v1/namespaces/{name}/secrets")["items"] == []
        account = apiserver.ask("GET", f"/api/v1/namespaces/{name}/serviceaccounts/default")
        assert not account.get("imagePullSecrets")
        assert "annotations" not in account["metadata"]
