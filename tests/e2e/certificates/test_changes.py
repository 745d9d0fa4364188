"""Harbor over HTTPS: CAs and client certificates are brought to nodes, proven, renewed and removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.e2e.certificates.place import GOOD, PORT, SAME_NAME, codes
from tests.e2e.site import IMAGE, PULLER
from tests.lab.certificates import Authority
from tests.lab.registry import running_registry, running_token_service

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.e2e.certificates.place import Secure
    from tests.lab.registry import RunningRegistry

pytestmark = [pytest.mark.needs("nodes"), pytest.mark.timeout(600)]


def test_a_client_certificate_for_mutual_tls(secure: Secure, tmp_path: Path) -> None:
    secure.install(ca=None)
    names = {name: tmp_path / name for name in ("ca.crt", "client.crt", "client.key")}
    names["ca.crt"].write_bytes(GOOD.pem)
    GOOD.issue(["node"], usage=ExtendedKeyUsageOID.CLIENT_AUTH).write(names["client.crt"], names["client.key"])
    without = {"address": f"https://{secure.entry}", "ca_file": str(names["ca.crt"]), "verify_image": IMAGE}
    pair = {"client_certificate": str(names["client.crt"]), "client_key": str(names["client.key"])}
    GOOD.issue([secure.site.lab.address]).write(secure.folder / "tls.crt", secure.folder / "tls.key")
    tls = {"certificate": str(secure.folder / "tls.crt"), "key": str(secure.folder / "tls.key")}
    with secure.serve({**tls, "clientcas": [str(names["ca.crt"])]}):
        refused = secure.agent("apply", without)
        assert codes(refused)[0] == "certificate-client-missing", refused.stdout
        planned = secure.agent("plan", {**without, **pair})
        assert "BEGIN PRIVATE KEY" in planned.stdout
        assert names["client.key"].read_text().splitlines()[1] not in planned.stdout
        done = secure.agent("apply", {**without, **pair})
        assert [(node["code"], node["verified"]) for node in done.document["nodes"]] == [(None, True)] * 2, done.stdout
    for node in secure.site.lab.nodes:
        assert node.run(f"stat -c %a {secure.certificates}/harbor-agent.key").stdout == "600\n"
    gone = secure.agent("apply", {"address": f"https://{secure.entry}", "state": "absent"})
    assert codes(gone) == [None, None], gone.stdout
    for node in secure.site.lab.nodes:
        assert node.run(f"ls {secure.certificates} 2>/dev/null || true").stdout == ""


def test_the_ca_in_the_trust_store_of_the_system(secure: Secure, tmp_path: Path) -> None:
    nodes, entry = secure.site.lab.nodes, secure.entry
    secure.install(ca=None)
    authorities, bundle = tmp_path / "ca.crt", "/etc/ssl/certs/ca-certificates.crt"
    authorities.write_bytes(Authority(name="Next CA").pem + GOOD.pem)
    trusted = {"address": f"https://{entry}", "ca_file": str(authorities), "system_trust": True, "verify_image": IMAGE}
    before, starts = [node.run(f"sha256sum {bundle}").stdout for node in nodes], secure.list_starts()

    def trusts() -> list[bool]:
        return [node.succeeds(f"curl -sfm 20 -o /dev/null https://{entry}/v2/") for node in nodes]

    GOOD.issue([secure.site.lab.address]).write(secure.folder / "tls.crt", secure.folder / "tls.key")
    tls = {"certificate": str(secure.folder / "tls.crt"), "key": str(secure.folder / "tls.key")}
    with secure.serve(tls):
        assert trusts() == [False, False]
        nodes[1].run(f"cp {bundle} /root/bundle && cat /usr/share/ca-certificates/mozilla/ISRG*X1.crt >>{bundle}")
        edited = secure.agent("apply", trusted)
        assert codes(edited) == [None, "trust-store-edited"], edited.stdout
        nodes[1].run(f"cat /root/bundle >{bundle}")
        planned = secure.agent("plan", trusted)
        warned = {warning["code"] for warning in planned.document["nodes"][1]["warnings"]}
        assert warned == {"trust-store-not-read", "certificate-not-in-builds"}, planned.stdout
        done = secure.agent("apply", trusted)
        assert [(node["code"], node["verified"]) for node in done.document["nodes"]] == [(None, True)] * 2, done.stdout
        assert trusts() == [True, True]
        back = secure.site.agent(
            *("rollback", done.document["run_id"], "-i", secure.site.lab.write_inventory(), "--yes", "-o", "json")
        )
        assert back.code == 0, back.stdout
        assert trusts() == [True, False]
        assert secure.agent("apply", trusted).code == 0
        gone = secure.agent("apply", {"address": f"https://{entry}", "state": "absent"})
        assert codes(gone) == [None, None], gone.stdout
        assert trusts() == [False, False]
    assert [node.run(f"sha256sum {bundle}").stdout for node in nodes] == before
    assert [node.run("ls /usr/local/share/ca-certificates").stdout for node in nodes] == ["", ""]
    assert secure.list_starts() == starts


def test_a_token_service_with_another_ca_needs_it_in_the_folder_of_the_registry(secure: Secure, tmp_path: Path) -> None:
    secure.install(ca=None)
    lab, entry, tokens = secure.site.lab, secure.entry, Authority(name="Token CA")
    (tmp_path / "password").write_text(PULLER.password)
    login = {"username": PULLER.name, "password_file": str(tmp_path / "password")}
    ca = tmp_path / "ca.crt"
    registry = {"address": f"https://{entry}", "ca_file": str(ca), "verify_image": IMAGE, "credentials": login}
    token = running_registry(
        secure.folder,
        authentication="token",
        logins=[PULLER],
        host=lab.address,
        port=PORT,
        prefix=lab.network.inside(()),
        tls=GOOD.issue([lab.address]).serve_from(secure.folder),
        realm=f"https://{lab.address}:{PORT + 1}/service/token",
    )
    with token as serving, running_token_service(serving, PORT + 1, tokens.issue([lab.address]).serve_from(tmp_path)):
        ca.write_bytes(GOOD.pem)
        refused = secure.agent("apply", registry)
        assert codes(refused)[0] == "certificate-ca-missing", refused.stdout
        ca.write_bytes(GOOD.pem + tokens.pem)
        done = secure.agent("apply", registry)
        assert [(node["code"], node["verified"]) for node in done.document["nodes"]] == [(None, True)] * 2, done.stdout
        assert secure.agent("apply", {"address": f"https://{entry}", "state": "absent"}).code == 0


def test_a_login_at_an_open_registry_is_not_proven(secure: Secure, tmp_path: Path) -> None:
    secure.install()
    (tmp_path / "password").write_text("any")
    login = {"username": "anybody", "password_file": str(tmp_path / "password")}
    (tmp_path / "ca.crt").write_bytes(GOOD.pem)
    registry = {"address": f"https://{secure.entry}", "ca_file": str(tmp_path / "ca.crt"), "credentials": login}
    GOOD.issue([secure.site.lab.address]).write(secure.folder / "tls.crt", secure.folder / "tls.key")
    tls = {"certificate": str(secure.folder / "tls.crt"), "key": str(secure.folder / "tls.key")}
    with secure.serve(tls):
        assert secure.agent("apply", registry).code == 0
        verified = secure.agent("verify", registry, options=["--login"])
        assert secure.agent("apply", {"address": f"https://{secure.entry}", "state": "absent"}).code == 0
    assert [node["logged_in"] for node in verified.document["nodes"]] == [None, None], verified.stdout
    assert all("the login is not proven" in node["reason"] for node in verified.document["nodes"]), verified.stdout


def test_from_http_to_https_to_a_new_ca_and_back(secure: Secure, tmp_path: Path) -> None:
    entry, image = secure.entry, {"verify_image": IMAGE}
    first, second = Authority(name="First CA"), Authority(name="Second CA")
    authorities, theirs = tmp_path / "ca.crt", f"{secure.certificates}/theirs.crt"
    secure.install(f"cat >{theirs} <<'END'\n{SAME_NAME.pem.decode()}END", ca=None)
    plain = {"address": entry, **image}
    https = {"address": f"https://{entry}", "ca_file": str(authorities), **image}
    left = {"address": f"http://{entry}", "state": "absent"}

    def serve_https(authority: Authority) -> AbstractContextManager[RunningRegistry]:
        authority.issue([secure.site.lab.address]).write(secure.folder / "tls.crt", secure.folder / "tls.key")
        return secure.serve({"certificate": str(secure.folder / "tls.crt"), "key": str(secure.folder / "tls.key")})

    def apply(*registries: dict[str, object]) -> None:
        done = secure.agent("apply", *registries)
        assert [(node["code"], node["verified"]) for node in done.document["nodes"]] == [(None, True)] * 2, done.stdout
        again = secure.agent("plan", *registries)
        assert {node["status"] for node in again.document["nodes"]} == {"unchanged"}, again.stdout

    with secure.serve():
        apply(plain)
    starts = secure.list_starts()
    with serve_https(first):
        authorities.write_bytes(second.pem)
        refused = secure.agent("apply", https, left)
        assert codes(refused)[0] == "certificate-ca-missing", refused.stdout
        assert refused.document["nodes"][0]["outcome"] == "rolled_back"
        authorities.write_bytes(first.pem)
        apply(https, left)
        for node in secure.site.lab.nodes:
            assert entry not in node.run("docker info --format '{{json .RegistryConfig.IndexConfigs}}'").stdout
        secure.site.lab.nodes[0].run(f"rm {secure.certificates}/harbor-agent.crt")
        drifted = secure.agent("drift", https, left)
        assert [node["status"] for node in drifted.document["nodes"]] == ["drift", "in_sync"], drifted.stdout
        assert "harbor-agent.crt is missing" in drifted.document["nodes"][0]["reason"]
        soon = {warning["code"] for warning in drifted.document["warnings"]}
        assert soon == {"ca-expires-soon", "certificate-expires-soon"}, drifted.stdout
        authorities.write_bytes(first.pem + second.pem)
        apply(https)
    with serve_https(second):
        apply(https)
        authorities.write_bytes(first.pem)
        for node in secure.site.lab.nodes:
            both = node.run(f"cat {secure.certificates}/harbor-agent.crt").stdout
            refused = secure.agent("apply", https, options=["--limit", node.name])
            assert codes(refused) == ["certificate-ca-missing"], refused.stdout
            assert refused.document["nodes"][0]["outcome"] == "rolled_back"
            assert node.run(f"cat {secure.certificates}/harbor-agent.crt").stdout == both
        authorities.write_bytes(second.pem)
        apply(https)
    with secure.serve():
        apply(plain)
    assert secure.agent("apply", {"address": entry, "state": "absent"}).code == 0
    for node in secure.site.lab.nodes:
        assert node.run(f"ls {secure.certificates}").stdout.split() == ["theirs.crt"]
    # dockerd reloads its registries: not one restart.
    assert secure.list_starts() == starts
