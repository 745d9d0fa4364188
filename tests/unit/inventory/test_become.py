"""Every way to become root that Ansible has is used over SSH, or refused with the transport that has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harbor_agent.inventory.load import load_inventory
from tests.unit.inventory.loading import refusal

if TYPE_CHECKING:
    from harbor_agent.model.inventory import Become
    from tests.unit.inventory.loading import Write

pytestmark = pytest.mark.field("06")
HOSTS = "[k8s_nodes]\nnode2 ansible_host=10.99.0.12\n\n[k8s_nodes:vars]\nansible_become=yes\n"


def load(path: str) -> Become:
    (node,) = load_inventory([path])
    assert node.become
    return node.become


@pytest.mark.parametrize(
    ("variables", "method", "executable", "flags"),
    [
        ('ansible_become_method=su\nansible_become_exe="sudo su -"\n', "su", "sudo su -", ""),
        ('ansible_become_method=sudo\nansible_become_flags="su - -c"\n', "sudo", "", "su - -c"),
        ("ansible_become_method=ansible.builtin.su\nansible_su_exe=/opt/su\n", "su", "/opt/su", ""),
        ("ansible_become_exe=/usr/bin/sudo\nansible_sudo_flags='-H -n'\n", "sudo", "/usr/bin/sudo", "-H -n"),
        ("ansible_become_method=community.general.sudosu\n", "sudosu", "", ""),
        ("ansible_become_method=sudosu\n", "sudosu", "", ""),
    ],
)
def test_the_variables_of_sudo_and_su_are_used(
    write: Write, variables: str, method: str, executable: str, flags: str
) -> None:
    become = load(write("hosts", HOSTS + variables))

    assert (become.method, become.executable, become.flags) == (method, executable, flags)


def test_an_executable_alone_is_used(write: Write) -> None:
    become = load(write("hosts", "node1 ansible_become_exe=/opt/bin/sudo\n"))

    assert (become.method, become.executable) == ("sudo", "/opt/bin/sudo")


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        *(
            (f"ansible_become_method={method}\n", f"ansible_become_method is {method}")
            for method in ("doas", "pbrun", "pfexec", "runas", "dzdo", "ksu", "enable", "community.general.machinectl")
        ),
        ("ansible_become_exe=\"sudo 'su'\"\n", "ansible_become_exe is "),
        ("ansible_become_flags='-H; reboot'\n", "ansible_become_flags is "),
        ("ansible_become_method=sudosu\nansible_become_flags=-H\n", "ansible_become_flags is "),
    ],
)
def test_another_way_is_refused_by_name_with_the_transport_that_has_it(write: Write, variables: str, name: str) -> None:
    path = write("hosts", HOSTS + variables)

    problem = refusal(path)

    assert problem.code == "inventory-variable-invalid"
    assert problem.message.startswith(f"host node2: {name}")
    assert "--transport ansible" in problem.hint
    assert [node.name for node in load_inventory([path], any_become=True)] == ["node2"]
