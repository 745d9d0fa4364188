"""The probe: what is on a node, and what could not be seen, as a value."""

from __future__ import annotations

import http.server
import os
import re
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.state import FileKind, InstalledRuntime, NameService, Record
from harbor_agent.node.wire import programs as wire
from tests.unit.planning.docker.nodes import docker_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.model.state import NodeState
    from tests.node.conftest import World

pytestmark = pytest.mark.needs("root")

DROP_INS = "/etc/systemd/system/docker.service.d"


def probe(world: World, *entries: str) -> NodeState:
    return wire.decode_probe(world.run(wire.build_probe_program(entries)))


def test_files_are_reported_with_everything_that_matters(world: World) -> None:
    world.file(DROP_INS).mkdir()
    world.file(f"{DROP_INS}/10-a b.conf").write_bytes(b"[Service]\nEnvironmentFile=-/etc/my *.env\n\xff\x00")
    world.file("/etc/my 1.env").write_text("DOCKER_OPTS='--config-file=/etc/other/d.json'\n")
    world.file("/etc/my 1.env").chmod(0o640)
    os.chown(world.file("/etc/my 1.env"), 12, 34)
    world.file(f"{DROP_INS}/x.conf.bak").write_text("not read\n")
    state = probe(world)
    assert state.files[f"{DROP_INS}/10-a b.conf"].content == b"[Service]\nEnvironmentFile=-/etc/my *.env\n\xff\x00"
    environment_file = state.files["/etc/my 1.env"]
    assert (environment_file.mode, environment_file.uid, environment_file.gid) == (0o640, 12, 34)
    assert f"{DROP_INS}/x.conf.bak" not in state.files
    assert state.files["/etc/docker"].kind is FileKind.DIRECTORY
    assert state.files["/etc/docker/daemon.json"].kind is FileKind.ABSENT
    assert state.files[f"{DROP_INS}/docker-options.conf"].kind is FileKind.ABSENT
    assert state.files["/etc/other/d.json"].kind is FileKind.ABSENT


def test_a_link_is_a_fact_of_its_own_with_what_a_reader_would_see(world: World) -> None:
    world.file(DROP_INS).mkdir()
    world.file(f"{DROP_INS}/masked.conf").symlink_to("/dev/null")
    world.file("/etc/real.json").write_text("{}")
    world.file("/etc/docker/daemon.json").symlink_to("../real.json")
    files = probe(world).files
    masked, linked = files[f"{DROP_INS}/masked.conf"], files["/etc/docker/daemon.json"]
    assert (masked.kind, masked.link_target, masked.content) == (FileKind.SYMLINK, "/dev/null", None)
    assert (linked.kind, linked.link_target, linked.content) == (FileKind.SYMLINK, "../real.json", b"{}")


@pytest.mark.parametrize("letter", ["\x0c", "\x1c", "\x85", "\u2028"])
def test_a_path_may_hold_what_is_a_line_end_elsewhere(world: World, letter: str) -> None:
    path = f"{DROP_INS}/10-{letter}x.conf"
    world.file(DROP_INS).mkdir()
    world.file(path).write_text("[Service]\n")
    facts = f"FragmentPath=/etc/a{letter}b' 'DropInPaths=/a{letter}b.conf /c.conf"
    world.replace("systemctl", f"case \"$*\" in 'show docker'*) printf '%s\\n' '{facts}'; exit;; esac")
    state = probe(world)
    assert state.files[path].content == b"[Service]\n"
    assert docker_of(state).unit.fragment_path == f"/etc/a{letter}b"
    assert docker_of(state).unit.drop_in_paths == (f"/a{letter}b.conf", "/c.conf")


def test_a_file_that_is_too_large_is_said_not_to_be_read(world: World) -> None:
    world.file("/etc/docker/daemon.json").write_bytes(b" " * (1 << 20) + b"{}")
    state = probe(world)
    assert state.files["/etc/docker/daemon.json"].kind is FileKind.TOO_LARGE
    assert [problem.code for problem in state.unreadable] == ["file-too-large"]


def test_the_daemon_speaks_for_itself(world: World) -> None:
    world.set("live.flags", "10.99.0.1:5000\n")
    world.set("containers", "c1 always no /web\nc2 no no /k8s_POD_web_shop_u1_0\nc3 no no /k8s_box_web_shop_u1_0\n")
    docker = docker_of(probe(world))
    assert docker.version == "20.10.24"
    assert docker.live is not None
    assert docker.live.insecure_entries == ("10.99.0.1:5000",)
    assert docker.live_restore is False
    assert [(box.name, box.restart_policy, box.kubernetes) for box in docker.containers] == [
        ("web", "always", False),
        ("k8s_box_web_shop_u1_0", "no", True),
    ]


@pytest.mark.parametrize("answer", ["echo null; exit 0", "exit 1", "echo 'Cannot connect' >&2; exit 1"])
def test_a_daemon_that_does_not_answer_has_no_live_list(world: World, answer: str) -> None:
    world.replace("docker", answer)
    state = probe(world)
    assert docker_of(state).live is None
    assert "docker-silent" in {problem.code for problem in state.unreadable}


def test_a_stopped_daemon_is_not_woken_by_the_question(world: World) -> None:
    world.set("active", "inactive\n")
    world.set("daemon.pid", "0\n")
    docker = docker_of(probe(world))
    assert (docker.argv, docker.live, docker.version) == (None, None, "20.10.24")
    assert "docker info" not in world.get("calls")


def test_a_proxys_password_stays_on_the_node(world: World) -> None:
    environment = {"HTTP_PROXY": "http://user:hunter2@proxy:3128", "no_proxy": "10.0.0.0/8", "SECRET": "x"}
    with subprocess.Popen(["sleep", "60"], env={**environment, "PATH": os.environ["PATH"]}) as daemon:
        world.set("daemon.pid", f"{daemon.pid}\n")
        raw = world.run(wire.build_probe_program([]))
        daemon.kill()
    docker = docker_of(wire.decode_probe(raw))
    assert docker.environment == {"HTTP_PROXY": "http://***@proxy:3128", "no_proxy": "10.0.0.0/8"}
    assert docker.argv == ("sleep", "60")


@pytest.mark.field("02")
def test_a_file_that_changed_after_the_daemon_started_is_known(world: World) -> None:
    world.file("/etc/docker/daemon.json").write_text("{}")
    with subprocess.Popen(["sleep", "60"]) as daemon:
        world.set("daemon.pid", f"{daemon.pid}\n")
        raw = world.run(wire.build_probe_program([]))
        daemon.kill()
    assert docker_of(wire.decode_probe(raw)).changed_files == ()
    stopped = docker_of(probe(world))
    assert stopped.changed_files is None
    later = re.sub(rb"changed \d+", b"changed 9999999999", raw)
    assert "/etc/docker/daemon.json" in (docker_of(wire.decode_probe(later)).changed_files or ())


def test_a_node_without_docker_says_what_else_it_has(world: World) -> None:
    world.replace("systemctl", 'case "$*" in "show docker.service"*) echo LoadState=not-found; exit 0 ;; esac')
    world.hide("dockerd")
    world.file("/etc/systemd/system/docker.service").unlink()
    state = probe(world)
    # Programs of other runtimes may be on this machine, whose files the world sees.
    assert all(isinstance(runtime, InstalledRuntime) for runtime in state.runtimes)
    assert state.system.init == "systemd"


def test_dockerd_under_another_name_is_found(world: World) -> None:
    name = "snap.docker.dockerd.service"
    world.file("/etc/systemd/system/cri-docker.service").write_text("[Service]\nExecStart=/usr/bin/cri-dockerd\n")
    world.file(f"/etc/systemd/system/{name}").write_text("[Service]\nExecStart=/usr/bin/snap run docker.dockerd\n")
    world.file("/etc/systemd/system/docker.service").unlink()
    world.replace(
        "systemctl",
        f'case "$*" in "show docker.service"*) echo LoadState=not-found; exit 0 ;;'
        f' "show {name}"*) echo LoadState=loaded; echo MainPID=0; exit 0 ;; esac',
    )
    docker = docker_of(probe(world))
    assert docker.unit.name == name


class _Answering(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # the library's name
        self.send_response(401 if self.path == "/v2/" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def registry() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("hidden", [(), ("curl",), ("curl", "wget"), ("curl", "wget", "busybox")])
def test_a_registry_is_asked_with_whatever_the_node_has(world: World, registry: str, hidden: tuple[str, ...]) -> None:
    if "busybox" in hidden and world.shell.startswith("busybox"):
        pytest.skip("the shell itself is busybox")
    world.hide(*hidden)
    (reached,) = probe(world, registry).reachability
    assert (reached.entry, reached.resolved, reached.http_status) == (registry, None, 401), reached


def test_what_does_not_answer_costs_little_and_is_named(world: World) -> None:
    started = time.monotonic()
    closed, unknown = "127.0.0.1:1", "no-such-host.invalid:80"
    reached = {each.entry: each for each in probe(world, closed, unknown).reachability}
    assert time.monotonic() - started < 5
    assert (reached[closed].http_status, reached[unknown].http_status) == (0, 0)
    assert reached[closed].detail
    assert reached[unknown].resolved == ()


def test_noise_of_a_login_shell_is_ignored(world: World) -> None:
    raw = world.run(wire.build_probe_program([]))
    assert wire.decode_probe(b"Welcome!\nno line feed" + raw + b"\nlogout\n") == wire.decode_probe(raw)


def test_a_truncated_answer_is_an_error_wherever_it_is_cut(world: World) -> None:
    raw = world.run(wire.build_probe_program([]))
    end = raw.index(b"harbor-agent/probe/1 end")
    for length in range(0, end, 97):
        with pytest.raises(wire.WireError):
            wire.decode_probe(raw[:length])


def test_names_are_observed_only_when_the_run_or_a_record_is_about_them(world: World) -> None:
    world.file("/etc/hosts").write_text("127.0.0.1 localhost\n")
    world.file("/etc/nsswitch.conf").write_text("passwd: files\nhosts:  files dns # x\n")
    world.file("/etc/cloud/cloud.cfg.d").mkdir(parents=True)
    world.file("/etc/cloud/cloud.cfg.d/90-site.cfg").write_text("password: secret\nmanage_etc_hosts: true\n")
    world.replace("getent", "[ $2 = harbor.lan ] && echo '10.0.0.5 STREAM harbor.lan'; exit")
    assert "/etc/hosts" not in probe(world, "=harbor.lan").files
    assert probe(world, "=harbor.lan").name_service is None

    state = probe(world, "=harbor.lan", "@harbor.lan=192.168.0.99", "@other.lan=fd99::1")
    assert state.files["/etc/hosts"].content == b"127.0.0.1 localhost\n"
    setting = ("/etc/cloud/cloud.cfg.d/90-site.cfg", "manage_etc_hosts: true")
    assert state.name_service == NameService(
        nsswitch="  files dns # x", cloud_init=(setting,), resolved={"harbor.lan": ("10.0.0.5",), "other.lan": ()}
    )
    record = world.file("/var/lib/harbor-agent/record/docker.json")
    record.parent.mkdir(parents=True)
    record.write_bytes(wire.encode_record(Record(file_hashes={"/etc/hosts": "absent"})))
    assert probe(world).files["/etc/hosts"].content == b"127.0.0.1 localhost\n"


def test_a_registry_is_tried_at_the_address_that_its_name_will_have(world: World, registry: str) -> None:
    entry = f"Harbor.lan:{registry.rpartition(':')[2]}"
    (seen,) = probe(world, entry, "@harbor.lan=127.0.0.1").reachability
    assert (seen.entry, seen.resolved, seen.http_status) == (entry, ("127.0.0.1",), 401), seen
