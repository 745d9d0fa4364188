"""verify checks each login once from the controller, then reports what each node sees of the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.site import IMAGE, PULLER

if TYPE_CHECKING:
    from tests.e2e.site import Site

pytestmark = pytest.mark.needs("nodes")


def test_a_wrong_login_is_tried_once_from_here_and_on_no_node(fresh_site: Site) -> None:
    site = fresh_site
    inventory = site.lab.write_inventory("verify.ini", nodes=site.nodes)
    login = ("--username", PULLER.name, "--password-stdin", "--verify-image", IMAGE)
    run = ("verify", "-i", inventory, "--registry", site.registry.entry, *login, "-o", "json")
    ended = site.agent(*run, stdin="wrong\n")
    assert ended.code == 1, ended.stderr
    assert ended.document["error"]["code"] == "registry-credentials-wrong"


def test_what_stands_between_a_node_and_its_registry_is_said_node_by_node(fresh_site: Site) -> None:
    site = fresh_site
    down = f"{site.lab.address}:5999"
    inventory = site.lab.write_inventory("verify.ini", nodes=site.nodes[:2])
    ended = site.agent("verify", "-i", inventory, "--registry", down, "-o", "json")
    told = [warning["message"] for warning in ended.document["warnings"] if warning["code"] == "registry-not-answering"]
    assert [message.partition(":")[0] for message in told] == ["node1", "node2"]


def test_each_node_logs_in_and_keeps_nothing_of_it(fresh_site: Site) -> None:
    site = fresh_site
    inventory = site.lab.write_inventory("verify.ini", nodes=site.nodes[:2])
    run = ("-i", inventory, "--registry", site.registry.entry)
    puller = ("--username", PULLER.name, "--password-stdin")

    def diagnose() -> tuple[int, list[tuple[str, str | None]]]:
        asked = ("diagnose", site.image, "-i", inventory, *puller, "-o", "json")
        ended = site.agent(*asked, stdin=f"{PULLER.password}\n")
        assert PULLER.password not in ended.stdout + ended.stderr
        return ended.code, [(one["status"], one["code"]) for one in ended.document["diagnoses"]]

    assert diagnose() == (1, [("failed", "pull-insecure-refused")] * 2)
    applied = site.agent("apply", *run, "--yes", "-o", "json")
    assert applied.code == 0, applied.stderr
    before = [site.files(node) for node in site.nodes[:2]]

    assert diagnose() == (0, [("fine", None)] * 2)
    login = (*puller, "--login", "-o", "json")
    ended = site.agent("verify", *run, *login, stdin=f"{PULLER.password}\n")

    assert ended.code == 0, ended.stdout
    for node in ended.document["nodes"]:
        assert (node["logged_in"], node["verified"]) == (True, None)
        assert f"docker login to {site.registry.entry} succeeded" in node["reason"]
    assert [site.files(node) for node in site.nodes[:2]] == before
    page = site.agent("verify", *run, *login[:-1], "html", stdin=f"{PULLER.password}\n").stdout
    assert "<h1>Done: 2 unchanged, 2 logged in</h1>" in page
    assert PULLER.password not in page
    for node in site.nodes[:2]:
        assert not node.succeeds("ls -d /run/harbor-agent-pull.* /dev/shm/harbor-agent-pull.*")


def test_diagnose_says_of_each_node_whether_it_pulls_an_image_and_what_the_registry_shows(fresh_site: Site) -> None:
    site = fresh_site
    inventory = site.lab.write_inventory("diagnose.ini", nodes=site.nodes[2:3])  # no other test here changes it
    puller = ("--username", PULLER.name, "--password-stdin")

    def diagnose(image: str, *login: str) -> tuple[int, dict, dict | None]:
        ended = site.agent(
            "diagnose", image, "-i", inventory, *login, "-o", "json", stdin=f"{PULLER.password}\n" if login else ""
        )
        (found,) = ended.document["diagnoses"]
        return ended.code, found, ended.document["registry"]

    code, found, registry = diagnose(site.image)
    assert (code, found["code"]) == (1, "pull-insecure-refused")
    assert any(fact.startswith("not configured; ") for fact in found["facts"])
    assert registry is not None
    assert (registry["scheme"], registry["image"]) == ("http", "withheld")

    applied = site.agent("apply", "-i", inventory, "--registry", site.registry.entry, "--yes", "-o", "json")
    assert applied.code == 0, applied.stderr
    code, found, _ = diagnose(site.image)
    assert (code, found["code"]) == (1, "pull-unauthorized")
    code, found, registry = diagnose(site.image, *puller)
    assert (code, found["status"], registry) == (0, "fine", None)
    code, found, _ = diagnose(f"{site.image}-none", *puller)
    assert (code, found["code"]) == (1, "pull-not-found")

    without_docker = site.lab.write_inventory("none.ini", nodes=site.lab.nodes[3:4])
    ended = site.agent("diagnose", site.image, "-i", without_docker, "-o", "json")
    assert (ended.code, ended.document["diagnoses"][0]["code"]) == (1, "docker-absent")

    down = f"{site.lab.address}:5999"
    code, found, registry = diagnose(f"{down}/shop/web:1")
    assert (code, found["status"], found["code"]) == (1, "failed", "pull-unreachable")
    assert "the registry does not answer this machine either" in found["facts"]
    assert registry is not None
    assert registry["scheme"] is None
