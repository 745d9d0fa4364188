"""The Helm chart renders the same objects as `schedule install --kubernetes`, and a real API server takes them."""

from __future__ import annotations

import importlib
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.cluster.test_cronjob import render
from tests.needs import find_helm

if TYPE_CHECKING:
    from tests.lab.apiserver import RunningApiServer

pytestmark = pytest.mark.needs("helm")

CHART = Path(__file__).resolve().parents[2] / "charts/harbor-agent"
IMAGE = {"image": "harbor-agent:1", "inventory": "hosts"}
MOST = {
    "correct": True,
    "drain": True,
    "dns": True,
    "secrets": [{"namespace": "shop", "name": "harbor-pull"}],
    "accounts": ["default"],
    "kubeconfig": "/etc/harbor/kubeconfig",
    "ports": [22, 80],
}


def helm(*arguments: str, rc: int = 0) -> str:
    done = subprocess.run([find_helm(), *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == rc, done.stderr + done.stdout
    return done.stdout + (done.stderr if rc else "")


def template(
    folder: Path, values: dict[str, Any], *arguments: str, release: str = "harbor-agent"
) -> list[dict[str, Any]]:
    (folder / "values.yaml").write_text(json.dumps(values))
    shown = helm("template", release, str(CHART), "-n", "harbor-agent", "-f", str(folder / "values.yaml"), *arguments)
    return [document for document in yaml.safe_load_all(shown) if document]


def by_name(objects: list[dict[str, Any]]) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Return the objects by kind, namespace and name, without the namespace that helm creates itself."""
    found = [(one["kind"], one["metadata"], one) for one in objects if one["kind"] != "Namespace"]
    return {(kind, metadata.get("namespace", ""), metadata["name"]): one for kind, metadata, one in found}


@pytest.mark.parametrize(
    ("version", "release", "name"),
    [("1.20", "harbor-agent", ()), ("1.21", "east", ("--name", "east")), ("1.35", "harbor-agent", ())],
)
def test_the_chart_and_the_command_make_the_same_objects(
    tmp_path: Path, version: str, release: str, name: tuple[str, ...]
) -> None:
    printed = render(tmp_path, "--kube-version", version, *name)
    cron = next(one for one in printed if one["kind"] == "CronJob")
    container = cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
    files = [
        {"key": mount["subPath"], "path": mount["mountPath"]}
        for mount in container["volumeMounts"]
        if mount["name"] == "files"
    ]
    chart = template(tmp_path, IMAGE | MOST | {"files": files}, "--kube-version", version, release=release)
    assert by_name(chart) == by_name(printed)


@pytest.mark.needs("kubernetes-validate")
def test_files_come_from_the_secret_of_the_release_and_from_others(tmp_path: Path) -> None:
    files = [
        {"secret": "chat", "key": "url", "path": "/etc/harbor-agent/chat-url"},
        {"key": "password", "path": "/etc/harbor/password"},
        {"secret": "chat", "key": "sign", "path": "/etc/harbor-agent/chat-secret"},
        {"secret": "1.2", "key": "ca", "path": "/etc/harbor/ca.crt"},
    ]
    (cron,) = (one for one in template(tmp_path, IMAGE | {"files": files}) if one["kind"] == "CronJob")
    importlib.import_module("kubernetes_validate").validate(cron, "1.35", strict=True)
    pod = cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    volumes = {one["name"]: one["secret"] for one in pod["volumes"] if one["name"].startswith("files")}
    mounts = [one for one in pod["containers"][0]["volumeMounts"] if one["name"].startswith("files")]
    assert [(volumes[one["name"]]["secretName"], one["subPath"], one["mountPath"]) for one in mounts] == [
        (file.get("secret", "harbor-agent-drift-files"), file["key"], file["path"]) for file in files
    ]
    assert [one["defaultMode"] for one in volumes.values()] == [0o400] * 3
    assert all(one["readOnly"] for one in mounts)


def test_a_release_whose_name_is_too_long_is_refused(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text(json.dumps(IMAGE))
    name = "a-name-that-is-longer-than-a-cronjob"
    said = helm("template", name, str(CHART), "-f", str(tmp_path / "values.yaml"), rc=1)
    assert "use a release name of at most 27 characters" in said


def test_by_default_the_check_has_no_right(tmp_path: Path) -> None:
    kinds = {one["kind"] for one in template(tmp_path, IMAGE)}
    assert kinds == {"ServiceAccount", "PersistentVolumeClaim", "NetworkPolicy", "CronJob"}


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"image": "a", "colour": "red"},
        {"image": "a", "ports": ["ssh"]},
        {"image": "a", "kubeconfig": "x"},
        {"image": "a", "files": [{"secret": "Chat", "key": "url", "path": "/url"}]},
    ],
)
def test_wrong_values_are_refused(tmp_path: Path, values: dict[str, Any]) -> None:
    (tmp_path / "values.yaml").write_text(json.dumps(values))
    said = helm("lint", str(CHART), "-f", str(tmp_path / "values.yaml"), rc=1)
    assert "values don't meet the specifications of the schema" in said


@pytest.mark.needs("apiserver")
def test_the_packed_chart_is_installed_and_removed(apiserver: RunningApiServer, tmp_path: Path) -> None:
    helm("package", str(CHART), "-d", str(tmp_path))
    (packed,) = tmp_path.glob("harbor-agent-*.tgz")
    secrets = [{"namespace": "chart", "name": "harbor-pull"}]
    (tmp_path / "values.yaml").write_text(json.dumps(IMAGE | MOST | {"secrets": secrets}))
    apiserver.create_namespace("chart")
    where = ("-n", "chart", "--kubeconfig", str(apiserver.kubeconfig()))
    helm("install", "site", str(packed), "-f", str(tmp_path / "values.yaml"), *where)
    path = "/apis/batch/v1beta1/namespaces/chart/cronjobs"
    names = [one["metadata"]["name"] for one in apiserver.ask("GET", path)["items"]]
    assert names == ["harbor-agent-drift-site", "harbor-agent-drift-site-apply"]
    helm("uninstall", "site", *where)
    assert apiserver.ask("GET", path)["items"] == []
