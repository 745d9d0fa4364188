"""Which files systemd reads, in which order, and what dockerd gets of them."""

from __future__ import annotations

from dataclasses import replace

from harbor_agent.planning.docker.effective import evaluate
from tests.unit.planning.docker.nodes import (
    DEBIAN_UNIT,
    DROP_INS,
    FRAGMENT,
    PLAIN_UNIT,
    docker_of,
    files_of,
    node,
    symlink,
)

HEAD = ("/usr/sbin/dockerd", "-H", "fd://", "--containerd=/run/containerd/containerd.sock")


def drop_in(value: str) -> str:
    return f'[Service]\nEnvironment="DOCKER_OPTS={value}"\n'


def options(contents: dict[str, str]) -> tuple[str, ...]:
    return evaluate(node({FRAGMENT: DEBIAN_UNIT, **contents})).argv[len(HEAD) :]


def test_drop_ins_are_ordered_by_name_across_directories() -> None:
    assert options(
        {f"{DROP_INS}/a.conf": drop_in("--mtu=1"), "/run/systemd/system/docker.service.d/b.conf": drop_in("--mtu=2")}
    ) == ("--mtu=2",)
    assert options(
        {f"{DROP_INS}/b.conf": drop_in("--mtu=1"), "/run/systemd/system/docker.service.d/a.conf": drop_in("--mtu=2")}
    ) == ("--mtu=1",)


def test_of_one_name_the_administrators_file_hides_the_packages() -> None:
    vendor = "/usr/lib/systemd/system/docker.service.d/x.conf"
    assert options({vendor: drop_in("--mtu=1"), f"{DROP_INS}/x.conf": "[Service]\n"}) == ()


def test_drop_ins_of_all_services_are_hidden_by_the_units_own() -> None:
    shared = "/etc/systemd/system/service.d/x.conf"
    assert options({shared: drop_in("--mtu=1")}) == ("--mtu=1",)
    assert options({shared: drop_in("--mtu=1"), "/usr/lib/systemd/system/docker.service.d/x.conf": "[Unit]\n"}) == ()


def test_only_conf_files_count() -> None:
    contents = {f"{DROP_INS}/{name}": drop_in("--mtu=1") for name in ("x.conf.bak", ".y.conf", "z", "sub/z.conf")}
    assert options(contents) == ()
    assert options({f"{DROP_INS}/x.bak.conf": drop_in("--mtu=1")}) == ("--mtu=1",)


def test_a_link_to_dev_null_masks_a_drop_in() -> None:
    state = node({FRAGMENT: DEBIAN_UNIT, "/usr/lib/systemd/system/docker.service.d/x.conf": drop_in("--mtu=1")})
    masked = replace(state, files={**state.files, f"{DROP_INS}/x.conf": symlink(f"{DROP_INS}/x.conf", "/dev/null")})
    assert evaluate(masked).argv == HEAD


def test_an_own_unit_file_goes_before_a_packaged_one_and_links_are_followed() -> None:
    state = node({FRAGMENT: PLAIN_UNIT, "/etc/systemd/system/docker.service": "[Service]\nExecStart=/opt/dockerd\n"})
    assert evaluate(state).argv == ("/opt/dockerd",)
    link = symlink("/etc/systemd/system/docker.service", FRAGMENT, PLAIN_UNIT.encode())
    assert evaluate(replace(state, files={**state.files, link.path: link})).argv == HEAD


def test_environment_files_beat_the_environment_and_the_last_of_them_wins() -> None:
    assert options({f"{DROP_INS}/x.conf": drop_in("--mtu=1"), "/etc/default/docker": "DOCKER_OPTS=--mtu=2\n"}) == (
        "--mtu=2",
    )
    more = "[Service]\nEnvironmentFile=/etc/more.d/*.env\n"
    contents = {f"{DROP_INS}/x.conf": more, "/etc/default/docker": "DOCKER_OPTS=--mtu=2\n"}
    contents |= {"/etc/more.d/a.env": "DOCKER_OPTS=--mtu=3\n", "/etc/more.d/b.env": "OTHER=1\n"}
    assert options(contents) == ("--mtu=3",)


def test_a_variable_as_a_word_splits_and_in_braces_it_does_not() -> None:
    unit = (
        "[Service]\nEnvironment='A=--x \"y z\"' B=\nExecStart=/docker $A ${A} a${A}b $B ${B} $NONE ${NONE} $$A --q=$A\n"
    )
    arguments = evaluate(node({FRAGMENT: unit})).argv[1:]
    whole = '--x "y z"'
    assert arguments == ("--x", "y z", whole, f"a{whole}b", "", "", "$A", "--q=$A")


def test_a_colon_before_the_program_switches_expansion_off() -> None:
    assert evaluate(node({FRAGMENT: "[Service]\nEnvironment=A=1\nExecStart=:/dockerd $A ${A}\n"})).argv == (
        "/dockerd",
        "$A",
        "${A}",
    )


def test_the_unit_may_have_another_name() -> None:
    state = node({FRAGMENT: PLAIN_UNIT})
    docker = replace(docker_of(state), unit=replace(docker_of(state).unit, name="dockerd.service"))
    files = files_of({"/usr/lib/systemd/system/dockerd.service": "[Service]\nExecStart=/opt/dockerd\n"})
    assert evaluate(replace(state, runtimes=(docker,), files=files)).argv == ("/opt/dockerd",)
