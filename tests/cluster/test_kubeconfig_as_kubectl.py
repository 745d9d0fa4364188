"""A kubeconfig means what kubectl takes it to mean; what is not supported is refused by its key."""

from __future__ import annotations

import base64
import json
import os
import pty
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from harbor_agent.engine.secrets.sync import apply_secret
from harbor_agent.errors import AgentError, Problem
from harbor_agent.kubernetes.cluster import open_cluster
from harbor_agent.model.address import Address
from harbor_agent.model.policy import CONTEXT_NAMESPACE, Credentials
from harbor_agent.model.secret import Namespaces, SecretSpec
from harbor_agent.model.sensitive import Sensitive

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.lab.apiserver import RunningApiServer

from tests.cluster.kubeconfigs import parts, refusal, tls_server, write
from tests.lab.waiting import wait_until

pytestmark = pytest.mark.usefixtures("no_default_kubeconfig")


@pytest.mark.needs("apiserver")
@pytest.mark.field("c01")
class TestImpersonation:
    def test_the_login_acts_with_the_rights_of_the_other_user(
        self, apiserver: RunningApiServer, tmp_path: Path, namespace: str, grant: Callable[..., None]
    ) -> None:
        cluster, user = parts(apiserver)
        login = Credentials(username="u", password=Sensitive("p"))
        spec = SecretSpec(name="pull", address=Address.parse("127.0.0.1:9"), credentials=login)
        with open_cluster(write(tmp_path / "c", cluster, user | {"as": "limited"})) as acting:
            problem = apply_secret(acting, spec, namespace).problem
            assert problem
            assert "limited is not allowed to get secrets" in problem.message
            grant("secrets", "get", "create", "patch")
            assert apply_secret(acting, spec, namespace).problem is None

    def test_who_may_not_impersonate_is_named_with_that_right(
        self, apiserver: RunningApiServer, tmp_path: Path
    ) -> None:
        cluster, user = parts(apiserver, "limited")
        with open_cluster(write(tmp_path / "c", cluster, user | {"as": "admin"})) as acting:
            problem = acting.labelled("default")
        assert isinstance(problem, Problem)
        assert "limited is not allowed to impersonate users" in problem.message


@pytest.mark.field("c01")
def test_every_part_of_an_impersonation_is_sent(tmp_path: Path) -> None:
    user = {
        "token": "t",
        "as": "system:serviceaccount:ns:name",
        "as-uid": "7",
        "as-groups": ["team-a", "system:authenticated"],
        "as-user-extra": {"example.org/Scopes": ["view", "edit"]},
    }
    with tls_server(tmp_path, "127.0.0.1") as (port, seen):
        cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": "crt"}
        open_cluster(write(tmp_path / "c", cluster, user)).close()
    headers = seen[-1]
    assert headers["Impersonate-User"] == "system:serviceaccount:ns:name"
    assert headers["Impersonate-Uid"] == "7"
    assert headers.get_all("Impersonate-Group") == ["team-a", "system:authenticated"]
    assert headers.get_all("Impersonate-Extra-example.org%2fscopes") == ["view", "edit"]


@pytest.mark.field("c01")
@pytest.mark.parametrize(
    ("cluster", "user", "words"),
    [
        ({}, {"as-groups": ["canary"]}, "'as-groups' needs 'as'"),
        ({}, {"token": "", "auth-provider": {"name": "gcp"}}, "auth-provider 'gcp' of user 'me' is not supported"),
        (
            {},
            {"token": "", "auth-provider": {"name": "oidc", "config": {"new": "canary"}}},
            "key 'new' of auth-provider 'me' is not supported",
        ),
        (
            {},
            {"token": "", "auth-provider": {"name": "oidc", "config": {"id-token": "canary"}}},
            "the id-token of user 'me' is not a JSON Web Token with an end",
        ),
        ({}, {"exec": {"command": "x"}, "auth-provider": {"name": "oidc"}}, "kubectl allows one"),
        ({}, {"exec": {"command": "x", "new": 1}}, "key 'new' of exec 'me' is not supported"),
        ({"new-key": "canary"}, {}, "key 'new-key' of cluster 'lab' is not supported"),
        ({"proxy-url": "ftp://canary@h"}, {}, "proxy-url is not a URL that begins with http, https or socks5"),
        ({"insecure-skip-tls-verify": True, "certificate-authority": "crt"}, {}, "kubectl allows one"),
    ],
)
def test_what_is_not_supported_is_refused_by_its_key(
    tmp_path: Path, cluster: dict[str, Any], user: dict[str, Any], words: str
) -> None:
    config = write(tmp_path / "c", {"server": "https://127.0.0.1:1"} | cluster, {"token": "canary"} | user)
    problem = refusal(config)
    assert problem.code == "kubeconfig-invalid"
    assert words in problem.message


@pytest.mark.field("c05")
def test_a_plugin_speaks_to_the_person_and_is_given_the_cluster(tmp_path: Path) -> None:
    plugin = tmp_path / "login"
    plugin.write_text(
        '#!/bin/sh\necho "enter the code ABCD-1234" >&2\n'
        f'printf %s "$KUBERNETES_EXEC_INFO" >{tmp_path}/asked\ntest -t 0 && echo yes >{tmp_path}/terminal\n'
        """echo '{"kind":"ExecCredential","status":{"token":"t"}}'\n"""
    )
    plugin.chmod(0o755)
    run = {"apiVersion": "client.authentication.k8s.io/v1", "command": "./login", "provideClusterInfo": True}
    with tls_server(tmp_path, "127.0.0.1") as (port, _):
        cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": "crt"}
        config = write(tmp_path / "c", cluster, {"exec": run | {"interactiveMode": "Always"}})
        program = f"from harbor_agent.kubernetes.cluster import open_cluster; open_cluster({config!r}).close()"
        ours, theirs = pty.openpty()
        done = subprocess.run(
            [sys.executable, "-c", program], stdin=theirs, capture_output=True, text=True, check=False, timeout=60
        )
        os.close(ours)
        os.close(theirs)
        assert done.stderr == "enter the code ABCD-1234\n"
        spec = json.loads((tmp_path / "asked").read_text())["spec"]
        assert spec["interactive"] is True
        assert (tmp_path / "terminal").exists()
        assert base64.b64decode(spec["cluster"]["certificate-authority-data"]) == (tmp_path / "crt").read_bytes()
        without = subprocess.run(
            [sys.executable, "-c", program], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        assert "interactiveMode Always, and standard input is not a terminal" in without.stderr


@pytest.mark.field("c05")
def test_a_plugin_that_takes_long_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    plugin = tmp_path / "login"
    plugin.write_text(
        f"#!/bin/sh\nuntil [ -e {tmp_path}/named ]; do sleep 0.1; done\n"
        """echo '{"kind":"ExecCredential","status":{"token":"t"}}'\n"""
    )
    plugin.chmod(0o755)
    run = {"apiVersion": "client.authentication.k8s.io/v1", "command": "./login", "interactiveMode": "Never"}
    with tls_server(tmp_path, "127.0.0.1") as (port, _):
        cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": "crt"}
        config = write(tmp_path / "c", cluster, {"exec": run})
        opening = threading.Thread(target=lambda: open_cluster(config).close())
        opening.start()
        shown = ""

        def is_named() -> bool:
            nonlocal shown
            shown += capfd.readouterr().err
            return f"waiting for the login plugin {plugin}\n" in shown

        try:
            wait_until(is_named, "the plugin is named", seconds=20)
        finally:
            (tmp_path / "named").touch()
            opening.join()


@pytest.mark.field("c05")
@pytest.mark.parametrize(("mode", "reason"), [(0o644, "permission denied"), (0o755, "exec format error")])
def test_a_plugin_that_cannot_be_run_is_named(tmp_path: Path, mode: int, reason: str) -> None:
    plugin = tmp_path / "login"
    plugin.write_text("echo {}\n")
    plugin.chmod(mode)
    run = {"apiVersion": "client.authentication.k8s.io/v1", "command": "./login", "interactiveMode": "Never"}
    problem = refusal(write(tmp_path / "c", {"server": "https://127.0.0.1:1"}, {"exec": run}))
    assert problem.code == "kubeconfig-login-failed"
    assert problem.message.endswith(f"login plugin {plugin} cannot be run: {reason}")


@pytest.mark.parametrize(
    ("cluster", "user", "words"),
    [
        (
            {"certificate-authority": "ca.crt"},
            {"token": "t"},
            "ca.crt (certificate-authority of cluster 'lab'): no",
        ),
        (
            {},
            {"client-certificate": "a.crt", "client-key": "a.key"},
            "a.crt (client-certificate of user 'me'): no",
        ),
        ({}, {"tokenFile": "."}, "(tokenFile of user 'me'): is a directory"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, cluster: dict[str, Any], user: dict[str, Any], words: str
) -> None:
    problem = refusal(write(tmp_path / "c", {"server": "https://127.0.0.1:1"} | cluster, user))
    assert problem.code == "kubeconfig-invalid"
    assert words in problem.message


def test_a_server_without_a_scheme_has_that_of_kubectl(tmp_path: Path) -> None:
    with tls_server(tmp_path, "127.0.0.1") as (port, seen):
        cluster = {"server": f"127.0.0.1:{port}", "certificate-authority": "crt"}
        open_cluster(write(tmp_path / "c", cluster, {"token": "t", "tokenFile": ""})).close()
        assert seen[-1]["Authorization"] == "Bearer t"
    assert refusal(write(tmp_path / "c", {"server": "127.0.0.1:1"}, {"token": ""})).code == "cluster-unreachable"


@pytest.mark.field("c05")
def test_a_missing_plugin_is_named_with_its_install_hint(tmp_path: Path) -> None:
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "no-such",
        "installHint": "az\x1b[1m cli",
    }
    problem = refusal(write(tmp_path / "c", {"server": "http://127.0.0.1:1"}, {"exec": plugin}))
    assert (problem.code, problem.hint) == ("kubeconfig-plugin-missing", "az cli")


@pytest.mark.needs("apiserver")
def test_files_are_merged_and_the_first_one_wins(
    apiserver: RunningApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "ca.crt").write_bytes(apiserver.authority)
    (tmp_path / "sub" / "token").write_text(apiserver.tokens["admin"])
    cluster = {"server": apiserver.url, "certificate-authority": "ca.crt"}
    write(tmp_path / "sub" / "one", cluster, {"tokenFile": "token"})
    write(tmp_path / "two", {"server": "https://127.0.0.1:1"}, {"token": "other"})
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/none:{tmp_path}/sub/one:{tmp_path}/two")
    open_cluster().close()
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/two:{tmp_path}/sub/one")
    with pytest.raises(AgentError, match="cannot reach the cluster"):
        open_cluster()


def test_a_file_without_a_user_is_used_as_it_is(tmp_path: Path) -> None:
    with tls_server(tmp_path, "127.0.0.1") as (port, seen):
        cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": "crt"}
        open_cluster(write(tmp_path / "c", cluster, None)).close()
    assert "Authorization" not in seen[-1]


@pytest.mark.needs("apiserver")
@pytest.mark.field("c19")
def test_the_namespace_of_the_context_is_the_default(apiserver: RunningApiServer, tmp_path: Path) -> None:
    cluster, user = parts(apiserver)
    wanted = Namespaces(names=(CONTEXT_NAMESPACE,))
    with open_cluster(write(tmp_path / "c", cluster, user, namespace="field")) as opened:
        assert opened.namespaces(wanted) == ("field",)
    with open_cluster(write(tmp_path / "c", cluster, user)) as opened:
        assert opened.namespaces(wanted) == ("default",)
