"""schedule install --kubernetes prints what a cluster needs for a drift check, and refuses what a pod cannot have."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Ran, Runner

IMAGE = ("--kubernetes", "--image", "registry.example/harbor-agent:1")
KUBECONFIG = "/etc/harbor/kubeconfig"


@pytest.fixture
def install(run: Runner, tmp_path: Path) -> Runner:
    (tmp_path / "hosts").write_text("node1\nnode2 ansible_port=2222 ansible_password=hunter2\n")

    def installed(*arguments: str, settings: object = None) -> Ran:
        if settings is not None:
            (tmp_path / "harbor-agent.yaml").write_text(json.dumps(settings))
        return run("schedule", "install", "-i", "hosts", *IMAGE, *arguments)

    return installed


def objects(ran: Ran) -> dict[str, Any]:
    assert ran.rc == 0, ran.err
    found = {}
    for one in yaml.safe_load_all(ran.out):
        kind = "Apply" if one["metadata"]["name"].endswith("-apply") else one["kind"]
        found[f"{kind} {one['metadata'].get('namespace', '')}".strip()] = one
    return found


def pod(ran: Ran, kind: str = "CronJob") -> dict[str, Any]:
    return objects(ran)[f"{kind} harbor-agent"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def test_a_check_of_nodes_alone_gets_no_right_at_all(install: Runner) -> None:
    ran = install("--every", "6h", settings={"registries": ["192.0.2.9"]})
    found = objects(ran)
    assert [name.split()[0] for name in found] == [
        *("Namespace", "ServiceAccount", "PersistentVolumeClaim", "NetworkPolicy", "CronJob")
    ]
    cron = found["CronJob harbor-agent"]
    assert (cron["apiVersion"], cron["spec"]["schedule"]) == ("batch/v1", "0 */6 * * *")
    assert cron["spec"]["concurrencyPolicy"] == "Forbid"
    assert pod(ran)["automountServiceAccountToken"] is False
    (container,) = pod(ran)["containers"]
    mounted = "/etc/harbor-agent/inventory"
    assert container["args"] == ["drift", "-i", f"{mounted}/hosts", "-c", f"{mounted}/harbor-agent.yaml"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    # the ports of nodes and registry, and names
    ports = [port["port"] for rule in found["NetworkPolicy harbor-agent"]["spec"]["egress"] for port in rule["ports"]]
    assert ports == [53, 53, 22, 80, 2222]
    assert "--from-file=hosts=hosts --from-file=harbor-agent.yaml=" in ran.out
    assert "hunter2" not in ran.out


def test_the_home_is_that_of_the_image(install: Runner) -> None:
    # OpenSSH takes the home from passwd: elsewhere it finds neither key nor known_hosts.
    image = (Path(__file__).resolve().parents[3] / ".ci/image/Containerfile").read_text(encoding="utf-8")
    (home,) = re.findall("^ENV HOME=(.*)$", image, re.MULTILINE)
    (container,) = pod(install())["containers"]
    assert container["env"] == [{"name": "HOME", "value": home}]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert (mounts["state"], mounts["ssh"]) == (home, f"{home}/.ssh")


@pytest.mark.parametrize(
    ("version", "api"),
    [("1.20", "batch/v1beta1"), ("v1.20.2+k3s1", "batch/v1beta1"), ("1.21", "batch/v1"), ("1.35", "batch/v1")],
)
def test_the_version_of_the_cluster_decides_the_api(install: Runner, version: str, api: str) -> None:
    assert objects(install("--kube-version", version))["CronJob harbor-agent"]["apiVersion"] == api


def test_a_correction_gets_the_lock_and_the_nodes_and_its_files(install: Runner, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hunter3")
    login = {"username": "u", "password_file": str(tmp_path / "password")}
    settings = {"registries": [{"address": "192.0.2.9:8080", "credentials": login}], "kubeconfig": KUBECONFIG}
    ran = install("--correct", "--name", "site", settings=settings)
    found = objects(ran)
    rules = [(rule["resources"], rule["verbs"]) for rule in found["Role kube-system"]["rules"]]
    assert rules == [(["leases"], ["create"]), (["leases"], ["get", "update"])]
    assert found["Role kube-system"]["rules"][1]["resourceNames"] == ["harbor-agent"]
    assert [rule["resources"] for rule in found["ClusterRole"]["rules"]] == [["nodes"], ["leases"]]
    assert found["RoleBinding kube-system"]["subjects"] == [
        {"kind": "ServiceAccount", "name": "harbor-agent-drift-site", "namespace": "harbor-agent"}
    ]
    mounts = {mount["mountPath"]: mount.get("subPath") for mount in pod(ran)["containers"][0]["volumeMounts"]}
    assert mounts[KUBECONFIG] == "kubeconfig"
    key = mounts[str(tmp_path / "password")]
    assert f"create secret generic harbor-agent-drift-site-files --from-file={key}={tmp_path / 'password'}" in ran.out
    assert pod(ran)["automountServiceAccountToken"] is True
    assert pod(ran)["containers"][0]["args"][-4:] == ["--correct", "--yes", "--note", "by a CronJob"]
    assert "hunter3" not in ran.out


def test_names_for_pods_are_compared_without_a_right_to_change_them(install: Runner) -> None:
    named = {"address": "harbor.lan", "resolve": {"address": "192.0.2.9"}}
    found = objects(install(settings={"registries": [named], "kubeconfig": KUBECONFIG}))
    verbs = {verb for rule in found["Role kube-system"]["rules"] for verb in rule["verbs"]}
    assert verbs == {"get", "list"}
    assert "ClusterRole" not in found


@pytest.mark.parametrize(
    ("correct", "verbs", "attach"),
    [((), ["get"], ["get"]), (("--correct",), ["get", "create", "patch"], ["get", "patch"])],
)
def test_pull_secrets_are_read_by_name_and_written_by_a_correction_only(
    install: Runner, correct: tuple[str, ...], verbs: list[str], attach: list[str]
) -> None:
    secret = {"namespaces": ["shop", "demo"], "service_accounts": ["default"]}
    settings = {"registries": [{"address": "192.0.2.9", "secret": secret}], "kubeconfig": KUBECONFIG}
    ran = install(*correct, settings=settings)
    found = objects(ran)
    # Only a correction needs a history that knows what a person applied.
    assert ("Apply harbor-agent" in found) is bool(correct)
    for namespace in ("shop", "demo"):
        rules = [
            (rule["resources"], rule["resourceNames"], rule["verbs"]) for rule in found[f"Role {namespace}"]["rules"]
        ]
        assert rules == [(["secrets"], ["harbor-pull"], verbs), (["serviceaccounts"], ["default"], attach)]
    assert "secrets" not in str(found["ClusterRole"]["rules"])
    if correct:
        assert found["Apply harbor-agent"]["spec"]["suspend"] is True
        (container,) = pod(ran, "Apply")["containers"]
        assert container["args"] == ["secret", "apply", "-c", "/etc/harbor-agent/inventory/harbor-agent.yaml", "--yes"]
    selected = {"address": "192.0.2.9", "secret": {"namespace_selector": "team=shop"}}
    found = objects(install(settings={"registries": [selected], "kubeconfig": KUBECONFIG}))
    assert [(rule["resources"], rule.get("resourceNames")) for rule in found["ClusterRole"]["rules"]] == [
        (["secrets"], ["harbor-pull"]),
        (["namespaces"], None),
    ]
    assert "Role kube-system" not in found


def test_receivers_get_their_files_and_ports(install: Runner, tmp_path: Path) -> None:
    url = tmp_path / "url"
    url.write_text("https://canary.example:8443/hook\n")
    named = {"url_file": str(url), "kind": "feishu", "secret_file": "/nowhere/secret"}
    ran = install(settings={"notify": [named, {"url": "http://ops.example"}]})
    found = objects(ran)
    ports = [port["port"] for rule in found["NetworkPolicy harbor-agent"]["spec"]["egress"] for port in rule["ports"]]
    assert ports == [53, 53, 22, 80, 2222, 8443]
    (container,) = pod(ran)["containers"]
    mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert {str(url), "/nowhere/secret"} <= mounted
    assert "canary" not in ran.out + ran.err
    refused = install(settings={"notify": [{"url_env": "HOOK"}]})
    assert (refused.rc, "the URL of a receiver is in $HOOK, which no pod has" in refused.err) == (2, True)


def test_two_checks_in_one_namespace_share_nothing_but_the_namespace(install: Runner, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hunter3")
    login = {"username": "u", "password_file": str(tmp_path / "password")}
    registry = {"address": "192.0.2.9", "credentials": login, "secret": {"namespaces": ["shop"]}}
    settings = {"registries": [registry], "kubeconfig": KUBECONFIG}
    east, west = (install("--correct", "--name", name, settings=settings) for name in ("east", "west"))

    def names(ran: Ran) -> set[str]:
        volumes = pod(ran)["volumes"]
        named = {volume["secret"]["secretName"] for volume in volumes if "secret" in volume}
        assert all(f"create secret generic {secret} " in ran.out for secret in named)
        objects_of = objects(ran)
        return named | {f"{place} {one['metadata']['name']}" for place, one in objects_of.items()}

    assert names(east) & names(west) == {"Namespace harbor-agent"}
    assert len(names(east)) == len(names(west))


def test_a_check_from_another_cluster_has_its_kubeconfig_and_no_right(install: Runner, tmp_path: Path) -> None:
    kubeconfig = write_kubeconfig(tmp_path, {"token": "hunter4"})
    settings = {
        "registries": [{"address": "192.0.2.9", "secret": {"namespaces": ["shop"]}}],
        "kubeconfig": str(kubeconfig),
    }
    ran = install("--other-cluster", "--name", "east", settings=settings)
    kinds = [name.split()[0] for name in objects(ran)]
    assert kinds == ["Namespace", "ServiceAccount", "PersistentVolumeClaim", "NetworkPolicy", "CronJob"]
    assert pod(ran)["automountServiceAccountToken"] is False
    (mount,) = (one for one in pod(ran)["containers"][0]["volumeMounts"] if one["mountPath"] == str(kubeconfig))
    assert mount["name"] == "files"
    assert f"harbor-agent-drift-east-files --from-file={mount['subPath']}={kubeconfig}" in ran.out
    policy = objects(ran)["NetworkPolicy harbor-agent"]["spec"]["egress"]
    assert [port["port"] for port in policy[1]["ports"]] == [22, 80, 2222, 7443]
    assert "hunter4" not in ran.out


@pytest.mark.parametrize("user", [{"client-key": "admin.key"}, {"exec": {"command": "login"}}])
def test_a_kubeconfig_that_a_pod_cannot_use_is_refused(
    install: Runner, tmp_path: Path, user: dict[str, object]
) -> None:
    registry = {"address": "192.0.2.9", "secret": {"namespaces": ["shop"]}}
    kubeconfig = str(write_kubeconfig(tmp_path, user))
    ran = install("--other-cluster", settings={"registries": [registry], "kubeconfig": kubeconfig})
    assert (ran.rc, ran.out) == (2, "")
    assert f"kubeconfig {kubeconfig} has {next(iter(user))}, which is about this machine" in ran.err
    assert "[schedule-not-portable]" in ran.err


def write_kubeconfig(folder: Path, user: dict[str, object]) -> Path:
    file = folder / "east.conf"
    content = {
        "current-context": "east",
        "contexts": [{"name": "east", "context": {"cluster": "east", "user": "admin"}}],
        "clusters": [{"name": "east", "cluster": {"server": "https://192.0.2.1:7443"}}],
        "users": [{"name": "admin", "user": user}],
    }
    file.write_text(json.dumps(content))
    return file


@pytest.mark.parametrize(
    ("hosts", "settings", "reason"),
    [
        ("node1 ansible_ssh_private_key_file=/root/key\n", {}, "node1 names the key /root/key of this machine"),
        ("node1 ansible_connection=local\n", {}, "node1 is reached by a local connection"),
        (
            "node1\n",
            {"registries": [{"address": "h", "secret": {}}]},
            "the settings have a pull secret and no kubeconfig",
        ),
        ("node1\n", {"kubeconfig": "admin.conf"}, "the settings name admin.conf without its folder"),
    ],
)
def test_what_a_pod_cannot_have_is_refused(
    run: Runner, tmp_path: Path, hosts: str, settings: dict[str, object], reason: str
) -> None:
    (tmp_path / "hosts").write_text(hosts)
    (tmp_path / "harbor-agent.yaml").write_text(json.dumps({"registries": ["192.0.2.9"]} | settings))
    ran = run("schedule", "install", "-i", "hosts", *IMAGE, "--correct")
    assert ran.rc == 2
    assert reason in ran.err
    assert "[schedule-not-portable]" in ran.err
    assert ran.out == ""


def test_variables_beside_the_inventory_are_refused(install: Runner, tmp_path: Path) -> None:
    (tmp_path / "group_vars").mkdir()
    ran = install()
    assert ran.rc == 2
    assert "hosts has group_vars beside it, which a secret cannot hold" in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--kubernetes",),
        ("--image", "i"),
        ("--kube-version", "1.20"),
        (*IMAGE, "--user", "ops"),
        (*IMAGE, "--metrics", "/x/y.prom"),
        (*IMAGE, "--on-calendar", "Mon..Fri 02:00"),
        (*IMAGE, "--kube-version", "new"),
        (*IMAGE, "--name", "a-name-that-is-longer-than-a-cronjob"),
        ("--other-cluster",),
    ],
)
def test_options_that_do_not_fit_are_refused(run: Runner, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "hosts").write_text("node1\n")
    ran = run("schedule", "install", "-i", "hosts", *arguments)
    assert (ran.rc, ran.out) == (2, "")
