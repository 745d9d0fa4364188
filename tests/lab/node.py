"""One node of a lab: a Debian with systemd, sshd and Docker or containerd, booted by systemd-nspawn."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab import cgroups
from tests.lab.entry import enter
from tests.lab.network import address_of, end_processes_in, ip
from tests.lab.shapes import CONTAINERD, WITHOUT_DAEMON, write_shape
from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from tests.lab.network import Network
    from tests.lab.shapes import Shape

_BOOT_SECONDS = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LabNode:
    """A node: `name` is what an inventory calls it, `root` its file system as the host sees it.

    `folder` is the node's own: overlay, process id, console log. `keys` is the lab's: SSH key, host key.
    """

    number: int
    shape: Shape
    network: Network
    folder: Path
    keys: Path
    base: Path

    @property
    def name(self) -> str:
        """The name in the inventory and of the host."""
        return f"node{self.number}"

    @property
    def address(self) -> str:
        """The IPv4 address, reached from the lab's network only."""
        return address_of(self.number)

    @property
    def machine(self) -> str:
        """The name of the namespace, the machine and the control group."""
        return self.network.node(self.number)

    @property
    def root(self) -> Path:
        """The root file system, mounted from `prepare` on."""
        return self.folder / "root"

    def prepare(self) -> None:
        """Mount the overlay and write what makes this node different from the others."""
        for part in ("upper", "work", "root"):
            (self.folder / part).mkdir(parents=True)
        layers = f"lowerdir={self.base},upperdir={self.folder / 'upper'},workdir={self.folder / 'work'}"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, str(self.root)], check=True)
        (self.root / "etc/hostname").write_text(f"{self.name}\n")
        (self.root / "etc/hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {self.name}\n")
        (self.root / "etc/resolv.conf").unlink(missing_ok=True)
        (self.root / "etc/resolv.conf").write_text("# no name server in the lab\n")
        for part in ("hostkey", "hostkey.pub"):
            name = part.replace("hostkey", "ssh_host_ed25519_key")
            shutil.copy(self.keys / part, self.root / "etc/ssh" / name)
        # OpenSSH 9's first choice takes both sides a fifth of a second of CPU time per login.
        (self.root / "etc/ssh/sshd_config.d/kex.conf").write_text("KexAlgorithms -sntrup761*\n")
        for home in ("root", "home/ops", "home/opspw"):
            self._authorize(self.root / home)
        write_shape(self.root, self.shape)

    def _authorize(self, home: Path) -> None:
        owner = home.stat()
        (home / ".ssh").mkdir(mode=0o700, exist_ok=True)
        shutil.copy(self.keys / "id.pub", home / ".ssh/authorized_keys")
        for path in (home / ".ssh", home / ".ssh/authorized_keys"):
            os.chown(path, owner.st_uid, owner.st_gid)

    def start(self) -> None:
        """Power the node on. Returns at once: `wait_ready` waits."""
        argv = [
            *("systemd-nspawn", "--quiet", "--boot", f"--directory={self.root}", f"--machine={self.machine}"),
            *("--register=no", f"--network-namespace-path=/run/netns/{self.machine}"),
            *("--capability=all", "--system-call-filter=add_key keyctl bpf", "--link-journal=no"),
        ]
        if not cgroups.host_has_systemd():
            argv = cgroups.entering(cgroups.create(self.machine), [*argv, "--keep-unit"])
        pid = self.folder / "pid"
        with (self.folder / "console.log").open("ab") as console:
            # The node is no child of this process, so nobody has to wait for it but who takes it down.
            subprocess.run(
                ["setsid", "--fork", "/bin/sh", "-c", 'echo $$ >"$0" && exec "$@"', str(pid), *argv],
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                # Without it dockerd cannot switch on IP forwarding and does not start.
                env={**os.environ, "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"},
            )
        wait_until(
            lambda: pid.exists() and pid.read_text() != "", "systemd-nspawn has been started", seconds=60, every=0.01
        )

    def wait_ready(self) -> None:
        """Return when sshd and the runtime of the shape answer. Raises TimeoutError with the console."""
        try:
            wait_until(self.answers, f"{self.name} answers over ssh", seconds=_BOOT_SECONDS)
            if self.shape in CONTAINERD:
                cri = "ctr plugins ls | grep -q '^io.containerd.grpc.v1 *cri .*ok'"
                wait_until(lambda: self.succeeds(cri), f"{self.name}'s containerd has CRI", seconds=60)
            elif self.shape not in WITHOUT_DAEMON:
                wait_until(lambda: self.succeeds("docker info"), f"{self.name}'s dockerd answers", seconds=60)
        except TimeoutError as error:
            error.add_note((self.folder / "console.log").read_text(errors="replace")[-4000:])
            if self.succeeds("true"):
                error.add_note(self.run("systemctl --failed; journalctl -n 40 -u docker -u containerd").stdout)
            raise

    def ssh_command(self, *arguments: str, user: str = "root") -> list[str]:
        """Return the command that logs in from the controller; `arguments` are words of a remote command."""
        options = [
            *("-F", "none", "-i", str(self.keys / "id"), "-o", f"UserKnownHostsFile={self.keys / 'known_hosts'}"),
            *("-o", "BatchMode=yes", "-o", "ConnectTimeout=3", "-o", "LogLevel=ERROR"),
        ]
        return self.network.inside(["ssh", *options, f"{user}@{self.address}", *arguments])

    def run(
        self, command: str, *, stdin: bytes | None = None, check: bool = True, timeout: float = 60, user: str = "root"
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell command on the node: root's in its namespaces, which takes no login, those of others over ssh.

        Raises CalledProcessError, with the node's words as a note.
        """
        argv = enter(self.folder / "pid", command) if user == "root" else self.ssh_command(command, user=user)
        result = subprocess.run(argv, input=stdin or b"", check=False, capture_output=True, timeout=timeout)
        stdout, stderr = result.stdout.decode(errors="replace"), result.stderr.decode(errors="replace")
        if check and result.returncode:
            error = subprocess.CalledProcessError(result.returncode, command, stdout, stderr)
            error.add_note(f"{self.name}: {stderr.strip()}")
            raise error
        return subprocess.CompletedProcess(command, result.returncode, stdout, stderr)

    def answers(self) -> bool:
        """Return whether root can log in over ssh, no later than in ten seconds."""
        try:
            done = subprocess.run(self.ssh_command("true"), check=False, input=b"", capture_output=True, timeout=10)
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0

    def succeeds(self, command: str) -> bool:
        """Return whether a command ends with 0, no later than in ten seconds."""
        try:
            return self.run(command, check=False, timeout=10).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def load_image(self, name: str, root_tar: bytes) -> None:
        """Give the node's Docker an image out of a root file system, without any registry."""
        self.run(f"docker import - {shlex.quote(name)}", stdin=root_tar)

    def start_container(self, name: str, image: str, *, restart: str = "no") -> None:
        """Start a container that stays until it is stopped, which takes no time."""
        options = f"--detach --network=none --stop-signal=KILL --name={name} --restart={restart}"
        self.run(f"docker run {options} {shlex.quote(image)} /bin/busybox sleep 1000000")

    def power_off(self) -> None:
        """Cut the power: nothing on the node gets to say goodbye. The file system stays."""
        end_processes_in(self.machine)
        self._end_supervisor()
        if not cgroups.host_has_systemd():
            cgroups.remove(self.machine)

    def end_connections(self) -> None:
        """Kill every sshd, those that serve connections too; systemd starts the one that listens again."""
        for pid in map(int, ip("netns", "pids", self.machine).split()):
            with suppress(FileNotFoundError, ProcessLookupError):
                if Path(f"/proc/{pid}/comm").read_text().startswith("sshd"):
                    os.kill(pid, signal.SIGKILL)

    def reboot(self) -> None:
        """Boot it anew as its administrator does, with everything told to stop. Returns at once, as `start` does."""
        pid = int((self.folder / "pid").read_text())
        self.run("systemctl --no-block reboot")
        # Without a service of its own systemd-nspawn leaves the second half of a reboot to whoever started it.
        wait_until(lambda: not self._is_supervisor(pid), f"{self.name} has gone down", seconds=_BOOT_SECONDS)
        self.power_off()
        self.start()

    def renew(self) -> None:
        """Cut the power and start over with a file system as at the beginning. `wait_ready` waits."""
        self.remove()
        for part in ("upper", "work", "root"):
            shutil.rmtree(self.folder / part)
        self.prepare()
        self.start()

    def remove(self) -> None:
        """Cut the power and unmount; every step is safe to repeat."""
        self.power_off()
        if self.root.is_mount():
            subprocess.run(["umount", str(self.root)], check=True)

    def _end_supervisor(self) -> None:
        """Wait for systemd-nspawn, which ends with the node; kill it where it has not got as far as that."""
        file = self.folder / "pid"
        if not file.exists():
            return
        pid = int(file.read_text())
        try:
            wait_until(lambda: not self._is_supervisor(pid), "systemd-nspawn has ended", seconds=5, every=0.02)
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not self._is_supervisor(pid), "systemd-nspawn has ended", seconds=60, every=0.02)
        file.unlink()

    def _is_supervisor(self, pid: int) -> bool:
        try:
            return self.machine.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return False
