"""A change of /etc/hosts that would not last, or that nothing would read."""

from __future__ import annotations

import pytest

from harbor_agent.model.state import NameService
from harbor_agent.planning.names.readers import require_lasting_file, require_readers
from harbor_agent.planning.refusal import RefusedError
from tests.unit.planning.docker.nodes import regular, symlink

HOSTS = "/etc/hosts"
CLOUD, USER_DATA = "/etc/cloud/cloud.cfg", "/var/lib/cloud/instance/cloud-config.txt"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([(CLOUD, "manage_etc_hosts: True # x")], "/etc/cloud/cloud.cfg sets manage_etc_hosts: True"),
        ([(CLOUD, "manage_etc_hosts: 'template'")], "template"),
        ([(CLOUD, "manage_etc_hosts: false"), (USER_DATA, "manage_etc_hosts: true")], USER_DATA),
        ([(CLOUD, "manage_etc_hosts: localhost"), (CLOUD, "# manage_etc_hosts: true")], ""),
        ([(CLOUD, "manage_etc_hosts: true"), (USER_DATA, "manage_etc_hosts: false")], ""),
    ],
)
def test_a_file_that_cloud_init_writes_is_refused(lines: list[tuple[str, str]], words: str) -> None:
    service = NameService(cloud_init=tuple(lines))
    if not words:
        require_lasting_file(regular(HOSTS, b""), service)
        return
    with pytest.raises(RefusedError, match=words) as caught:
        require_lasting_file(regular(HOSTS, b""), service)
    assert caught.value.problem.code == "hosts-managed"


def test_a_link_and_a_mount_are_refused() -> None:
    with pytest.raises(RefusedError, match="a symbolic link to /run/hosts"):
        require_lasting_file(symlink(HOSTS, "/run/hosts", b""), NameService())
    with pytest.raises(RefusedError, match="a mount"):
        require_lasting_file(regular(HOSTS, b""), NameService(is_mount=True))


@pytest.mark.parametrize(
    ("services", "is_read"),
    [
        (" dns", False),
        (" dns [!UNAVAIL=return] files", False),
        (" dns [NOTFOUND=return] files", False),
        (" files dns # x", True),
        ("\tdns files", True),
        (" resolve [!UNAVAIL=return] files dns", True),
        (" mdns4_minimal [NOTFOUND=return] files dns", True),
        ("", True),
    ],
)
def test_a_lookup_that_does_not_reach_the_file_is_refused(services: str, *, is_read: bool) -> None:
    service = NameService(nsswitch=services)
    if is_read:
        require_readers(service, ["harbor.lan"], {})
        return
    with pytest.raises(RefusedError, match=r"for harbor\.lan") as caught:
        require_readers(service, ["harbor.lan"], {})
    assert caught.value.problem.code == "hosts-not-read"


def test_dns_that_answers_before_the_file_is_refused() -> None:
    answered = {"harbor.lan": ("10.0.0.5",)}
    for services in (" files dns", " resolve [!UNAVAIL=return] files dns"):
        require_readers(NameService(nsswitch=services), ["harbor.lan"], answered)
    with pytest.raises(RefusedError, match=r"DNS answers first, with 10\.0\.0\.5"):
        require_readers(NameService(nsswitch=" dns files"), ["harbor.lan"], answered)
