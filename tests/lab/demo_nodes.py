"""The demo on booted nodes: a pull that fails, one command, the pull that works, the secret, and a pod."""

from __future__ import annotations

import base64
import json
import shlex
from contextlib import ExitStack
from typing import TYPE_CHECKING

from tests.lab.apiserver import running_apiserver
from tests.lab.cluster import running_cluster, wait_account
from tests.lab.forward import forwarded
from tests.lab.images import busybox_root
from tests.lab.nodes import Lab
from tests.lab.registry import Login, running_registry
from tests.lab.stage import Stage, UnexpectedError, say, scene
from tests.lab.waiting import wait_until
from tests.needs import missing

if TYPE_CHECKING:
    from tests.lab.apiserver import RunningApiServer
    from tests.lab.node import LabNode
    from tests.lab.registry import RunningRegistry

_LOGIN = Login(name="robot$demo+puller", password="not-a-secret-of-anybody")
_IMAGE = "demo/hello:1.0"
_NAMESPACE = "demo"
_SYMPTOM = "server gave HTTP response to HTTPS client"


def show() -> None:
    """Boot, fail, plan, apply, pull, plan again, secret, pod. Raises UnexpectedError where a step goes wrong."""
    scene("Booting three nodes, each with Docker set up in another way (the first time this takes a minute)")
    with ExitStack() as stack:
        lab = stack.enter_context(Lab(shapes=("docker.io", "kubespray", "docker-ce")))
        for node in lab.nodes:
            say(f"{node.name}  {node.address}  {node.shape}")
        registry = stack.enter_context(
            running_registry(
                lab.folder / "registry",
                authentication="token",
                logins=[_LOGIN],
                host=lab.address,
                port=5000,
                prefix=lab.network.inside(()),
            )
        )
        hello = ("/bin/busybox", "echo", "hello from a plain-HTTP registry")
        registry.push(*_IMAGE.split(":"), root=busybox_root(lab.nodes[0].base), command=hello)
        say(f"registry  {registry.url}  plain HTTP, asks for a login; it holds {_IMAGE}")
        server = _start_cluster(stack, lab)
        lab.nodes[0].load_image("busybox:lab", busybox_root(lab.nodes[0].base))
        lab.nodes[0].start_container("web", "busybox:lab", restart="always")
        stage = Stage(
            folder=lab.folder,
            environment={**lab.environment, "HARBOR_PASSWORD": _LOGIN.password},
            wrap=lab.network.inside,
        )
        lab.write_inventory()
        _write_settings(stage, registry, server)
        _show_nodes(stage, lab, registry)
        _show_secret(stage, registry, server)
        if server and not missing("cluster"):
            _show_pod(stage, lab, registry, server)
        scene("Taking the nodes down")


def _start_cluster(stack: ExitStack, lab: Lab) -> RunningApiServer | None:
    """Start a cluster of the nodes; without its programs an API server alone, or nothing."""
    if missing("apiserver"):
        return None
    if missing("cluster"):
        server = stack.enter_context(running_apiserver(lab.folder / "apiserver"))
        stack.enter_context(forwarded(lab.name, server.port))
        server.create_namespace(_NAMESPACE, "default")
    else:
        server = stack.enter_context(running_cluster(lab))
        server.create_namespace(_NAMESPACE)
        wait_account(server, _NAMESPACE)
        say("kubelet runs on every node")
    say(f"API server  {server.url}  with namespace {_NAMESPACE}")
    return server


def _write_settings(stage: Stage, registry: RunningRegistry, server: RunningApiServer | None) -> None:
    lines = [
        "registries:",
        f"  - address: {registry.entry}",
        f"    verify_image: {_IMAGE}",
        f'    credentials: {{username: "{_LOGIN.name}", password_env: HARBOR_PASSWORD, email: ops@example.org}}',
    ]
    if server:
        lines += [
            f"    secret: {{name: harbor-pull, namespaces: [{_NAMESPACE}], service_accounts: [default]}}",
            f"kubeconfig: {server.kubeconfig()}",
        ]
    text = "\n".join([*lines, "rollout: {canary: 1, batch: 2}", ""])
    (stage.folder / "harbor-agent.yaml").write_text(text)
    scene("What is wanted")
    say(f"$ cat harbor-agent.yaml\n{text}\n$ cat inventory.ini\n{(stage.folder / 'inventory.ini').read_text()}")


def _show_nodes(stage: Stage, lab: Lab, registry: RunningRegistry) -> None:
    image = f"{registry.entry}/{_IMAGE}"
    scene("Before: a node cannot pull")
    _show_failing_pull(lab.nodes[0], image)
    scene("What would be done")
    stage.agent("plan", "-i", "inventory.ini", "--exit-code", expect=3)
    scene("Doing it")
    stage.agent("apply", "-i", "inventory.ini", "--yes")
    scene("After: every node pulls, and runs what it pulled")
    for node in lab.nodes:
        _show_pull(node, registry.entry, image)
    scene("Nothing is left to do")
    stage.agent("plan", "-i", "inventory.ini", "--exit-code", expect=0)
    stage.agent("verify", "-i", "inventory.ini")


def _show_failing_pull(node: LabNode, image: str) -> None:
    say(f"{node.name}$ docker pull {image}")
    done = node.run(f"docker pull {image}", check=False)
    say(f"{done.stdout}{done.stderr}".rstrip())
    if done.returncode == 0 or _SYMPTOM not in done.stderr:
        raise UnexpectedError(f"the pull should have failed with '{_SYMPTOM}'")


def _show_pull(node: LabNode, entry: str, image: str) -> None:
    login = f"docker login --username {shlex.quote(_LOGIN.name)} --password-stdin {entry}"
    run = f"docker run --rm --network=none {image}"
    say(f"{node.name}$ {login} && {run}")
    # The login is kept in memory (tmpfs), and only for as long as the command takes.
    kept = "export DOCKER_CONFIG=$(mktemp -d -p /run) && trap 'rm -rf $DOCKER_CONFIG' EXIT"
    done = node.run(f"{kept} && {login} >/dev/null 2>&1 && {run}", stdin=_LOGIN.password.encode(), check=False)
    say(f"{done.stderr}{done.stdout}".rstrip())
    if done.returncode != 0 or "hello from" not in done.stdout:
        raise UnexpectedError(f"{node.name} should have pulled and run {image}")


def _show_secret(stage: Stage, registry: RunningRegistry, server: RunningApiServer | None) -> None:
    if server is None:
        scene("The pull secret (no API server here: KUBEBUILDER_ASSETS is not set, so this is what would be applied)")
        names = ("--secret-name", "harbor-pull", "-n", _NAMESPACE)
        stage.agent("secret", "render", "--registry", registry.entry, *names, hidden=r"(?<=\.dockerconfigjson: )\S+")
        return
    scene("The pull secret, as the API server has it")
    secret = server.ask("GET", f"/api/v1/namespaces/{_NAMESPACE}/secrets/harbor-pull")
    content = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))
    if content["auths"][registry.url]["password"] != _LOGIN.password:
        raise UnexpectedError("the secret does not hold the login")
    for entry in content["auths"].values():
        entry.update(password="********", auth="********")
    kept = {key: secret["metadata"].get(key) for key in ("namespace", "name", "annotations")}
    say(json.dumps({"type": secret["type"], **kept, ".dockerconfigjson": content}, indent=2))
    account = server.ask("GET", f"/api/v1/namespaces/{_NAMESPACE}/serviceaccounts/default")
    attached = account.get("imagePullSecrets", [])
    say(f"service account default: imagePullSecrets {json.dumps(attached)}")
    if {"name": "harbor-pull"} not in attached:
        raise UnexpectedError("the secret is not attached to the service account")


def _show_pod(stage: Stage, lab: Lab, registry: RunningRegistry, server: RunningApiServer) -> None:
    scene("The proof is a pod: kubelet of every node pulls with the secret")
    stage.agent("verify", "-i", "inventory.ini", "--pod")
    container = {"name": "hello", "image": f"{registry.entry}/{_IMAGE}", "imagePullPolicy": "Always"}
    node = lab.nodes[-1].name
    spec = {"nodeName": node, "restartPolicy": "Never", "containers": [container]}
    pods = f"/api/v1/namespaces/{_NAMESPACE}/pods"
    server.ask("POST", pods, {"metadata": {"name": "hello"}, "spec": spec})

    def has_succeeded() -> bool:
        return bool(server.ask("GET", f"{pods}/hello")["status"]["phase"] == "Succeeded")

    wait_until(has_succeeded, "the pod has run", seconds=90)
    say(f"pod hello, which names no secret, pulled {container['image']} on {node} and ran")
