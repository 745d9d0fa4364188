"""`dns apply` and `secret apply` post how they ended to a real receiver, and nothing secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from harbor_agent.cli.main import app
from tests.cluster.conftest import ROBOT
from tests.cluster.dns_servers import add_server, remove_servers
from tests.cluster.test_dns import COREFILE, SETTINGS
from tests.unit.cli.receiver import receiving, write_private

if TYPE_CHECKING:
    from tests.lab.apiserver import RunningApiServer
    from tests.lab.registry import RunningRegistry
    from tests.unit.cli.receiver import Posted

pytestmark = pytest.mark.needs("apiserver", "registry")

SCHEMA = Path(__file__).resolve().parents[2] / "docs/schemas/notification-2.json"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def run(*words: str) -> tuple[int, str]:
    ran = CliRunner().invoke(app, list(words))
    return ran.exit_code, ran.stdout


def check(posted: Posted) -> dict[str, Any]:
    Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(posted.body)
    return posted.body


def test_dns_apply_says_what_is_not_proven_and_that_it_is_done(apiserver: RunningApiServer) -> None:
    Path("harbor-agent.yaml").write_text(f"{SETTINGS}kubeconfig: {apiserver.kubeconfig()}\n", encoding="utf-8")
    remove_servers(apiserver)
    add_server(apiserver, "coredns", {"Corefile": COREFILE})
    try:
        with receiving() as receiver:
            notify = ("--notify", receiver.url)
            assert run("dns", "apply", *notify)[0] == 7  # without a terminal it cannot ask
            code, _ = run("dns", "apply", "--yes", *notify)
            done, _ = run("dns", "apply", "--yes", "--absent", "--registry", "harbor.lan", "--accept-unproven", *notify)
        assert (code, done) == (1, 0)
    finally:
        remove_servers(apiserver)
    failed, removed = map(check, receiver.posted)
    assert (failed["command"], failed["event"], failed["counts"]) == ("dns apply", "failed", {"changed": 1})
    (finding,) = failed["findings"]
    assert (finding["subject"], finding["status"]) == ("deployment/coredns", "unproven")
    assert finding["code"] == "dns-not-proven"
    assert f"harbor-agent history show {failed['run_id']}; harbor-agent explain dns-not-proven" in failed["text"]
    assert (removed["event"], removed["exit_code"], removed["counts"]) == ("done", 0, {"changed": 1})


def test_secret_apply_names_what_failed_and_never_the_login(
    apiserver: RunningApiServer, harbor: RunningRegistry, namespace: str
) -> None:
    write_private(Path("password"), ROBOT.password)
    secret = {"namespaces": [namespace, "nowhere"], "service_accounts": ["default"]}
    login = {"username": ROBOT.name, "password_file": "password"}
    registry = {"address": harbor.entry, "credentials": login, "secret": secret}
    settings = {"registries": [registry], "kubeconfig": str(apiserver.kubeconfig()), "notify": [{"url_file": "url"}]}
    Path("harbor-agent.yaml").write_text(json.dumps(settings), encoding="utf-8")
    with receiving() as receiver:
        write_private(Path("url"), f"{receiver.url}/canary-token")
        assert run("secret", "apply", "--dry-run")[0] == 1
        code, text = run("secret", "apply")
        write_private(Path("password"), "canary-wrong")
        rejected, _ = run("secret", "apply")
    assert (code, "canary" in text) == (1, False)
    partly, wrong = map(check, receiver.posted)
    assert (partly["command"], partly["event"]) == ("secret apply", "failed")
    assert partly["counts"] == {"changed": 1, "failed": 1}
    (finding,) = partly["findings"]
    assert (finding["subject"], finding["code"]) == ("secret nowhere/harbor-pull", "namespace-missing")
    assert (rejected, wrong["exit_code"], wrong["findings"][0]["subject"]) == (1, 1, "run")
    assert ROBOT.password not in str(receiver.posted)
    assert "canary-wrong" not in str(receiver.posted)


def test_a_service_account_that_cannot_have_the_secret_is_named(
    apiserver: RunningApiServer, harbor: RunningRegistry, namespace: str
) -> None:
    write_private(Path("password"), ROBOT.password)
    words = ("--registry", harbor.entry, "--username", ROBOT.name, "--password-file", "password", "-n", namespace)
    with receiving() as receiver:
        accounts = ("--service-account", "default", "--service-account", "absent")
        code, _ = run(
            *("secret", "apply", *words, *accounts, "--kubeconfig", str(apiserver.kubeconfig())),
            *("--notify", receiver.url),
        )
    (posted,) = map(check, receiver.posted)
    (finding,) = posted["findings"]
    assert (code, posted["counts"]) == (1, {"changed": 1})
    assert (finding["subject"], finding["status"]) == (f"service account {namespace}/absent", "failed")
