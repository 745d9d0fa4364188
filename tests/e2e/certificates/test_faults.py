"""Harbor over HTTPS: each fault of a certificate is named, on Debian 12's and Debian 13's dockerd."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.e2e.certificates.place import GOOD, SAME_NAME, codes
from tests.lab.certificates import Authority

if TYPE_CHECKING:
    from tests.e2e.certificates.place import Secure

pytestmark = [pytest.mark.needs("nodes"), pytest.mark.timeout(600)]

MAY_NOT_SIGN = Authority(name="No CA", is_ca=False)
INTERMEDIATE = Authority(name="Lab intermediate", signed_by=GOOD)
BROKEN_FILES = {
    "ca.cert": "echo >ca.cert",
    "client.key": "echo >client.key",
    "folder.crt": "mkdir folder.crt",
    "gone.crt": "ln -s nothing gone.crt",
}


def test_a_certificate_of_a_known_ca_is_accepted(secure: Secure) -> None:
    secure.install()
    good = secure.verify(GOOD.issue([secure.site.lab.address]))
    assert codes(good) == [None, None], good.stdout
    assert [node["verified"] for node in good.document["nodes"]] == [True, True]


@pytest.mark.parametrize(
    ("case", "code"),
    [
        ("no-ca", "certificate-ca-missing"),
        ("another-ca-of-the-same-name", "certificate-ca-missing"),
        ("without-the-intermediate", "certificate-ca-missing"),
        ("a-ca-that-may-not-sign", "certificate-ca-cannot-sign"),
        ("expired", "certificate-expired"),
        ("another-address", "certificate-name"),
        ("only-a-host-name", "certificate-no-san"),
        ("only-a-common-name", "certificate-no-san"),
        ("for-clients-only", "pull-certificate-refused"),
        ("client-certificate-wanted", "certificate-client-missing"),
    ],
)
def test_a_fault_of_the_certificate_is_named(secure: Secure, case: str, code: str) -> None:
    address = secure.site.lab.address
    ca = {"no-ca": None, "another-ca-of-the-same-name": SAME_NAME.pem, "a-ca-that-may-not-sign": MAY_NOT_SIGN.pem}
    secure.install(ca=ca.get(case, GOOD.pem))
    issued = {
        "without-the-intermediate": INTERMEDIATE.issue([address], with_chain=False),
        "a-ca-that-may-not-sign": MAY_NOT_SIGN.issue([address]),
        "expired": GOOD.issue([address], days=-1),
        "another-address": GOOD.issue(["192.0.2.7"]),
        "only-a-host-name": GOOD.issue(["harbor.lan"]),
        "only-a-common-name": GOOD.issue([], common_name=address),
        "for-clients-only": GOOD.issue([address], usage=ExtendedKeyUsageOID.CLIENT_AUTH),
    }.get(case) or GOOD.issue([address])
    ended = secure.verify(issued, client=GOOD if code == "certificate-client-missing" else None)
    assert codes(ended) == [code, code], ended.stdout


@pytest.mark.parametrize("name", BROKEN_FILES)
def test_a_file_that_breaks_the_folder_of_certificates_is_named(secure: Secure, name: str) -> None:
    secure.install(BROKEN_FILES[name])
    ended = secure.verify(GOOD.issue([secure.site.lab.address]))
    assert codes(ended) == ["certificate-folder-broken"] * 2, ended.stdout
    assert all(re.search(re.escape(name), node["reason"]) for node in ended.document["nodes"]), ended.stdout
