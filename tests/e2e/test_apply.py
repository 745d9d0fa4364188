"""One command: nodes that could not pull now can, nothing else on them changed, and the cluster has its secret."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.e2e.site import PULLER
from tests.lab.images import busybox_root

if TYPE_CHECKING:
    from tests.e2e.site import Ended, Site
    from tests.lab.apiserver import RunningApiServer
    from tests.lab.files import Files
    from tests.lab.node import LabNode

pytestmark = pytest.mark.needs("nodes")

_DROP_IN = "/etc/systemd/system/docker.service.d/docker-options.conf"
_NAMESPACE = "e2e"


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What happened, in this order."""

    site: Site
    failing_pulls: list[str]
    files: list[Files]
    commands: list[list[str]]
    processes: list[str]
    wrong_login: Ended
    plan: Ended
    files_after_plan: list[Files]
    apply: Ended
    second_plan: Ended


@pytest.fixture(scope="module")
def story(fresh_site: Site, apiserver: RunningApiServer | None) -> Story:
    site = fresh_site
    if apiserver:
        apiserver.create_namespace(_NAMESPACE, "default")
    first = site.nodes[0]
    first.load_image("busybox:lab", busybox_root(first.base))
    first.start_container("web", "busybox:lab", restart="always")
    site.lab.write_inventory(nodes=site.nodes)
    run = ("-i", site.lab.folder / "inventory.ini", "-c", site.settings(apiserver, _NAMESPACE), "-o", "json")
    failing = [site.pull(node).stderr for node in site.nodes]
    files, commands, processes = (
        [site.files(node) for node in site.nodes],
        [_command(node) for node in site.nodes],
        _processes(site),
    )
    login = ("--username", PULLER.name, "--password-stdin")
    wrong_login = site.agent("apply", *run, "--registry", site.registry.entry, *login, "--yes", stdin="wrong\n")
    plan = site.agent("plan", *run, "--exit-code")
    files_after_plan = [site.files(node) for node in site.nodes]
    apply = site.agent("apply", *run, "--yes")
    return Story(
        site=site,
        failing_pulls=failing,
        files=files,
        commands=commands,
        processes=processes,
        wrong_login=wrong_login,
        plan=plan,
        files_after_plan=files_after_plan,
        apply=apply,
        second_plan=site.agent("plan", *run, "--exit-code"),
    )


def _command(node: LabNode) -> list[str]:
    pid = node.run("systemctl show -p MainPID --value docker").stdout.strip()
    return node.run(f"tr '\\0' '\\n' </proc/{pid}/cmdline").stdout.split()


def _processes(site: Site) -> list[str]:
    return [node.run("systemctl show -p MainPID --value docker").stdout.strip() for node in site.nodes]


def test_before_no_node_can_pull(story: Story) -> None:
    assert all("server gave HTTP response to HTTPS client" in words for words in story.failing_pulls)


def test_a_plan_says_per_node_where_the_setting_takes_effect(story: Story) -> None:
    assert story.plan.code == 3, story.plan.stderr
    assert story.plan.document["summary"]["change"] == 3
    shown = {
        node["node"]: (node["route"], node["action"], [file["path"] for file in node["files"]])
        for node in story.plan.document["nodes"]
    }
    assert shown == {
        "node1": ("drop-in", "restart", [_DROP_IN]),
        "node2": ("drop-in", "restart", [_DROP_IN]),
        "node3": ("daemon-json", "reload", ["/etc/docker/daemon.json"]),
    }


def test_a_wrong_login_ends_the_run_with_its_reason(story: Story) -> None:
    assert story.wrong_login.code == 1, story.wrong_login.stderr
    assert story.site.registry.entry in json.dumps(story.wrong_login.document["error"])


def test_neither_a_wrong_login_nor_a_plan_changes_anything(story: Story) -> None:
    assert story.files_after_plan == story.files


def test_a_plan_announces_the_containers_that_a_restart_stops(story: Story) -> None:
    stopped = {node["node"]: node["containers_stopped"] for node in story.plan.document["nodes"]}
    assert [container["name"] for container in stopped["node1"]] == ["web"]
    assert stopped["node2"] == stopped["node3"] == []


def test_every_node_is_changed_and_proved_by_a_pull(story: Story) -> None:
    assert story.apply.code == 0, story.apply.stderr
    outcomes = {node["node"]: (node["outcome"], node["verified"]) for node in story.apply.document["nodes"]}
    assert outcomes == dict.fromkeys(("node1", "node2", "node3"), ("changed", True))


def test_the_steps_of_a_change_are_reported_with_their_times(story: Story) -> None:
    steps = {one["step"]: one["seconds"] for one in story.apply.node("node1")["steps"]}
    assert {"validate", "restart", "pull"} <= steps.keys()
    assert min(steps.values()) >= 0


def test_afterwards_every_node_pulls(story: Story) -> None:
    for node in story.site.nodes:
        done = story.site.pull(node)
        assert done.returncode == 0, done.stderr


def test_the_image_that_was_pulled_as_proof_is_removed(story: Story) -> None:
    for node in story.site.nodes:
        assert node.run(f"docker images -q {story.site.image}").stdout == ""


def test_a_second_plan_is_empty(story: Story) -> None:
    assert story.second_plan.code == 0, story.second_plan.stdout
    assert story.second_plan.document["summary"]["unchanged"] == 3


def test_dockerd_keeps_every_argument_it_had(story: Story) -> None:
    added = f"--insecure-registry={story.site.registry.entry}"
    after = [_command(node) for node in story.site.nodes]
    for node, before, now in zip(story.site.nodes, story.commands, after, strict=True):
        without = list(now)
        if node.shape != "docker-ce":
            without.remove(added)
        assert without == before, node.shape


def test_no_other_file_changes_on_a_node(story: Story) -> None:
    changed = {
        node.name: {path for path, _ in story.site.files(node) ^ before}
        for node, before in zip(story.site.nodes, story.files, strict=True)
    }
    assert changed["node1"] == changed["node2"] == {_DROP_IN}
    assert changed["node3"] == {"/etc/docker/daemon.json"}


def test_a_node_that_can_reload_is_not_restarted(story: Story) -> None:
    assert _processes(story.site)[2] == story.processes[2]


def test_a_container_that_docker_restarts_runs_again(story: Story) -> None:
    assert story.site.nodes[0].run("docker ps --format '{{.Names}}'").stdout.split() == ["web"]


def test_verify_finds_everything_in_place(story: Story) -> None:
    settings = story.site.lab.folder / "harbor-agent.yaml"
    ended = story.site.agent("verify", "-i", story.site.lab.folder / "inventory.ini", "-c", settings)
    assert ended.code == 0, ended.stdout + ended.stderr


def test_the_password_is_neither_told_nor_kept(story: Story) -> None:
    for ended in (story.plan, story.apply, story.second_plan):
        assert PULLER.password not in ended.stdout + ended.stderr
    encoded = base64.b64encode(f"{PULLER.name}:{PULLER.password}".encode()).decode()
    for node in story.site.nodes:
        places = "/etc /home /root /run /tmp /var"
        found = node.run(f"grep -rlsF -D skip -e {PULLER.password} -e {encoded} {places}", check=False)
        assert found.stdout == ""
        assert PULLER.password not in node.run("journalctl --no-pager").stdout


@pytest.mark.needs("apiserver")
def test_the_cluster_has_the_secret_and_the_account_uses_it(story: Story, apiserver: RunningApiServer) -> None:
    secret = apiserver.ask("GET", f"/api/v1/namespaces/{_NAMESPACE}/secrets/harbor-pull")
    assert secret["type"] == "kubernetes.io/dockerconfigjson"
    assert secret["metadata"]["annotations"]["secret.kubesphere.io/force-insecure"] == "true"
    content = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))
    assert content["auths"] == {
        story.site.registry.url: {
            "username": PULLER.name,
            "password": PULLER.password,
            "email": "ops@example.org",
            "auth": base64.b64encode(f"{PULLER.name}:{PULLER.password}".encode()).decode(),
        }
    }
    account = apiserver.ask("GET", f"/api/v1/namespaces/{_NAMESPACE}/serviceaccounts/default")
    assert account["imagePullSecrets"] == [{"name": "harbor-pull"}]
