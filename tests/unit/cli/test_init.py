"""harbor-agent init writes a first settings file; nothing else happens."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.request.config_file import load_configuration
from harbor_agent.engine.request.request import RegistryFlags
from harbor_agent.engine.request.resolve import build_policy
from harbor_agent.planning.config.schema import PolicyLayer
from tests.unit.cli.api_stub import serve_objects

if TYPE_CHECKING:
    from harbor_agent.model.policy import Policy
    from tests.unit.cli.conftest import Runner

AGENT = Path(__file__).resolve().parents[3] / "agent"
REGISTRY = ("--registry", "192.168.0.99")


def load(path: Path) -> Policy:
    return build_policy(load_configuration(str(path)), RegistryFlags())


def answer(folder: Path, *arguments: str, answers: str) -> tuple[int, str, str]:
    """Run init on a terminal of its own; return its exit code, the questions, and standard output."""
    ours, theirs = pty.openpty()
    os.write(ours, answers.encode())
    done = subprocess.run(
        [sys.executable, "-m", "harbor_agent.cli", "init", *arguments],
        stdin=theirs,
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(AGENT), "HOME": str(folder), "KUBECONFIG": ""},
        timeout=60,
        check=False,
    )
    os.close(theirs)
    os.close(ours)
    return done.returncode, done.stderr, done.stdout.strip(" ")  # readline gets a space for each question


@pytest.mark.parametrize(
    ("options", "flags"),
    [
        (REGISTRY, RegistryFlags(addresses=("192.168.0.99",))),
        (
            ("--registry", "http://h.lan:8080/", "--registry", "[fd00::1]:80", "--route", "daemon-json"),
            RegistryFlags(addresses=("http://h.lan:8080/", "[fd00::1]:80"), route="daemon-json"),  # type: ignore[arg-type]
        ),
        (
            (*REGISTRY, "--verify-image", "library/pause:3.9", "--runtime", "cri-o"),
            RegistryFlags(addresses=("192.168.0.99",), verify_image="library/pause:3.9", runtime="cri-o"),  # type: ignore[arg-type]
        ),
        (
            (
                *(*REGISTRY, "--username", "robot$k8s", "--password-file", "~/pass: word", "--email", "a@b"),
                *("--secret-name", "on", "-n", "demo", "-n", "*", "--service-account", "default"),
                *("--key-form", "plain"),
            ),
            RegistryFlags(
                addresses=("192.168.0.99",),
                username="robot$k8s",
                password_file="~/pass: word",
                email="a@b",
                secret_name="on",
                namespaces=("demo", "*"),
                service_accounts=("default",),
                key_form="plain",
            ),
        ),
    ],
    ids=["address", "addresses", "image", "secret"],
)
def test_the_file_has_the_effect_of_the_options_and_is_valid(
    run: Runner, tmp_path: Path, options: tuple[str, ...], flags: RegistryFlags
) -> None:
    done = run("init", *options)
    assert (done.rc, done.out) == (0, "wrote harbor-agent.yaml\n")
    assert load(tmp_path / "harbor-agent.yaml") == build_policy(PolicyLayer(), flags)
    assert run("config", "check").out == "harbor-agent.yaml: valid\n"


def test_a_plan_by_the_file_is_the_plan_by_the_options(run: Runner, tree: Path) -> None:
    assert run("init", *REGISTRY, "--verify-image", "a/b:1").rc == 0
    by_options = run("plan", "--root", str(tree), "-c", "/dev/null", *REGISTRY, "--verify-image", "a/b:1", "-o", "json")
    by_file = run("plan", "--root", str(tree), "-o", "json")
    nodes = [json.loads(one.out)["nodes"] for one in (by_options, by_file)]
    assert nodes[0][0].pop("seconds") is not nodes[1][0].pop("seconds")
    assert nodes[0] == nodes[1]
    assert nodes[0][0]["files"]


def test_what_is_not_chosen_is_there_as_a_comment_that_works(run: Runner, tmp_path: Path) -> None:
    file = tmp_path / "harbor-agent.yaml"
    assert run("init", *REGISTRY).rc == 0
    before = load(file)
    text = file.read_text(encoding="utf-8")
    keys = ("route", "runtime", "rollout", "drift")
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("# route:"))
    shown = [line[2:] if line.startswith(tuple(f"# {key}:" for key in keys)) else line for line in lines[start:]]
    shown = [line[2:] if line.startswith("#   ") else line for line in shown]
    file.write_text("\n".join([*lines[:start], *shown]), encoding="utf-8")
    assert {"canary", "max_drifted"} <= {line.strip().partition(":")[0] for line in shown}
    assert load(file) == before, "the comments show the defaults"


def test_a_password_is_named_and_never_written(run: Runner, tmp_path: Path) -> None:
    assert run("init", *REGISTRY, "--username", "u").rc == 0
    assert "password_env: HARBOR_PASSWORD" in (tmp_path / "harbor-agent.yaml").read_text(encoding="utf-8")
    assert "--password-stdin" not in run("init", "--help").out


def test_an_existing_file_is_never_overwritten(run: Runner, tmp_path: Path) -> None:
    file = tmp_path / "harbor-agent.yaml"
    file.write_text("registries: [h]\n", encoding="utf-8")
    (tmp_path / "link.yaml").symlink_to("missing")
    for arguments in ((), ("link.yaml",)):
        done = run("init", *arguments, *REGISTRY)
        assert done.rc == 2
        assert "[configuration-exists]" in done.err
    assert file.read_text(encoding="utf-8") == "registries: [h]\n"
    assert not (tmp_path / "missing").exists()
    code, questions, _ = answer(tmp_path, answers="")
    assert (code, "Registry" in questions) == (2, False), "nothing is asked in vain"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "no registry is named"),
        (("--registry", "h/p"), "an address has no path"),
        ((*REGISTRY, "--verify-image", "/x"), "'/x' is not an image"),
        ((*REGISTRY, "--ca-file", "ca.crt"), "plain HTTP"),
        (("--registry", "https://h", "--ca-file", "missing.crt"), "cannot read the CA"),
        ((*REGISTRY, "--registry", "h", "--username", "u"), "need one registry"),
        ((*REGISTRY, "--username", "u", "--password-env", "A", "--password-file", "f"), "more than one password"),
        ((*REGISTRY, "-i", "missing.ini"), "inventory not found"),
        ((*REGISTRY, "--kubeconfig", "missing"), "does not exist"),
    ],
)
def test_without_a_terminal_nothing_is_asked_and_an_error_leaves_no_file(
    run: Runner, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    done = run("init", *options)
    assert done.rc == 2
    assert message in done.err
    assert not (tmp_path / "harbor-agent.yaml").exists()


def test_a_file_that_cannot_be_written_is_an_error(run: Runner) -> None:
    done = run("init", "missing/harbor-agent.yaml", *REGISTRY)
    assert done.rc == 2
    assert "[configuration-unwritable]" in done.err


def test_a_terminal_is_asked_once_for_what_no_option_has(tmp_path: Path) -> None:
    answers = "http://h/p\n192.168.0.99\n192.168.0.99/library/pause:3.9\nlibrary/pause:3.9\nmissing\n-\nrobot\n\n"
    code, questions, out = answer(tmp_path, answers=answers)
    assert (code, out) == (0, "wrote harbor-agent.yaml\n")
    assert questions.count("Registry (host[:port]") == 2, "a refused answer is asked for again"
    assert "an address has no path" in questions
    assert "repeats the address of the registry" in questions
    assert "no such file: missing" in questions
    assert "CA of the registry" not in questions, "plain HTTP has none"
    assert "Namespaces" not in questions, "there is no cluster"
    policy = load(tmp_path / "harbor-agent.yaml")
    (registry,) = policy.registries
    assert (registry.address.entry, registry.verify_image) == ("192.168.0.99", "library/pause:3.9")
    assert registry.credentials is not None
    assert (registry.credentials.username, registry.credentials.password_env) == ("robot", "HARBOR_PASSWORD")
    assert policy.kubeconfig is None


def test_a_terminal_is_not_asked_for_what_an_option_has(tmp_path: Path) -> None:
    options = (*REGISTRY, "--verify-image", "a:1", "--username", "u", "--password-file", "p")
    code, questions, _ = answer(tmp_path, *options, answers="-\n")
    assert (code, questions.count("?") + questions.count("(empty")) == (0, 0)
    assert "Kubeconfig" in questions
    code, questions, _ = answer(tmp_path, "all.yaml", *REGISTRY, "--yes", answers="")
    assert (code, questions) == (0, "next: harbor-agent plan -i INVENTORY -c all.yaml\n")


def test_the_end_of_input_leaves_no_file(tmp_path: Path) -> None:
    code, questions, _ = answer(tmp_path, answers="192.168.0.99\n\x04")
    assert code == 130
    assert "nothing was changed" in questions
    assert not (tmp_path / "harbor-agent.yaml").exists()


def test_inventory_and_cluster_are_described_in_comments(run: Runner, tmp_path: Path) -> None:
    inventory = "[kube_node]\nn1\nn2 harbor_route=drop-in\n[etcd]\nn1\n"
    (tmp_path / "inventory.ini").write_text(inventory, encoding="utf-8")
    with serve_objects(tmp_path / "kubeconfig") as requests:
        done = run("init", *REGISTRY, "-i", "inventory.ini", "--kubeconfig", "kubeconfig", "-n", "demo")
    assert done.rc == 0, done.err
    assert {method for method, _ in requests} == {"GET"}
    text = (tmp_path / "harbor-agent.yaml").read_text(encoding="utf-8")
    assert "# Inventory inventory.ini: 2 nodes; groups: kube_node (2), etcd (1)\n" in text
    assert "# The inventory sets harbor_route of n2, which overrides this file.\n" in text
    assert "kubelets report them: containerd 1.7.2 (2), docker 20.10.9 (1)\n" in text
    assert "# Namespaces of the cluster: default, demo, shop\n" in text
    assert load(tmp_path / "harbor-agent.yaml").kubeconfig == "kubeconfig"


def test_a_terminal_sees_the_namespaces_before_it_chooses(tmp_path: Path) -> None:
    with serve_objects(tmp_path / "kubeconfig"):
        options = (*REGISTRY, "--verify-image", "a:1", "--kubeconfig", "kubeconfig")
        code, questions, _ = answer(tmp_path, *options, answers="u\n\ndemo, shop\n")
    assert code == 0, questions
    assert questions.index("default, demo, shop") < questions.index("Namespaces of the pull secret")
    (registry,) = load(tmp_path / "harbor-agent.yaml").registries
    assert registry.secret is not None
    assert registry.secret.namespaces == ("demo", "shop")


def test_a_cluster_that_does_not_answer_is_a_warning(run: Runner, tmp_path: Path) -> None:
    with serve_objects(tmp_path / "kubeconfig"):
        pass  # its port is closed by now
    done = run("init", *REGISTRY, "--kubeconfig", "kubeconfig")
    assert done.rc == 0
    assert "warning: " in done.err
    assert (tmp_path / "harbor-agent.yaml").exists()
