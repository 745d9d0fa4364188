"""Real registries: Debian's docker-registry, open, behind htpasswd, or behind a token service that behaves as Harbor's.

Runs on loopback or, with a `prefix` such as `ip netns exec NAME`, wherever that command leads.
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import bcrypt
import yaml

from tests.lab.certificates import write_certificate
from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_HERE = Path(__file__).parent
_READY_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """An account. `pull` and `push` are patterns of repositories (fnmatch); only the token service looks at them."""

    name: str
    password: str
    pull: tuple[str, ...] = ("*",)
    push: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningRegistry:
    """A registry that answers. `log` is where the registry itself writes."""

    host: str
    port: int
    scheme: str
    directory: Path
    prefix: tuple[str, ...] = ()
    admin: Login | None = None
    authority: Path | None = None

    @property
    def entry(self) -> str:
        """`host:port`."""
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The root URL."""
        return f"{self.scheme}://{self.entry}"

    @property
    def log(self) -> str:
        """What the registry wrote so far."""
        return (self.directory / "registry.log").read_text()

    def replace_logins(self, *logins: Login) -> None:
        """Let these log in and no others but `admin`, from now on. For the kind "htpasswd"."""
        known = [*logins, self.admin] if self.admin else logins
        (self.directory / "htpasswd").write_text("".join(map(_htpasswd_line, known)))

    def push(
        self, repository: str, tag: str = "latest", *, root: bytes | None = None, command: Sequence[str] = ("/hello",)
    ) -> str:
        """Push an image over the HTTP API and return its digest.

        `root` is its root file system as a tar archive; without one it holds a single small file.
        """
        order = {
            "url": self.url,
            "repository": repository,
            "tag": tag,
            "login": [self.admin.name, self.admin.password] if self.admin else None,
            "root": base64.b64encode(root).decode() if root is not None else None,
            "command": list(command),
            "authority": str(self.authority) if self.authority else None,
        }
        done = subprocess.run(
            [*self.prefix, sys.executable, str(_HERE / "registry_push.py")],
            input=json.dumps(order),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, f"pushing {repository}:{tag} to {self.url}: {done.stderr}"
        return done.stdout.strip()


@dataclass(slots=True, kw_only=True)
class _Place:
    """What every variant is started with."""

    directory: Path
    host: str
    port: int
    prefix: tuple[str, ...]
    tls: bool | Mapping[str, object]
    sections: dict[str, object] = field(default_factory=dict)


@contextmanager
def running_registry(
    directory: Path,
    *,
    authentication: Literal["open", "htpasswd", "token"] = "open",
    logins: Sequence[Login] = (),
    host: str = "127.0.0.1",
    port: int = 0,
    prefix: Sequence[str] = (),
    tls: bool | Mapping[str, object] = False,
    public: Sequence[str] = (),
    health: str = "healthy",
    realm: str | None = None,
) -> Iterator[RunningRegistry]:
    """Run a registry until the block ends; `directory` keeps its storage, configuration and logs.

    Port 0 takes a free one. `tls` serves HTTPS with a certificate that signs itself, or is the registry's own section
    `http.tls`. For "token" a front
    as Harbor's nginx serves /v2/, /service/token and /api/v2.0/health at one address; `public` are patterns of
    repositories that anybody may pull, `health` is what it says of itself, `realm` replaces the token service's URL
    that the registry names.
    """
    directory.mkdir(parents=True, exist_ok=True)
    place = _Place(directory=directory, host=host, port=port, prefix=tuple(prefix), tls=tls)
    admin = Login(name="admin", password=secrets.token_hex(8), push=("*",)) if authentication != "open" else None
    everybody = [*logins, admin] if admin else []
    with ExitStack() as stack:
        if tls:
            place.sections["tls"] = _tls(directory, host) if tls is True else dict(tls)
        match authentication:
            case "open":
                bound = stack.enter_context(_registry(place, {}))
            case "htpasswd":
                (directory / "htpasswd").write_text("".join(map(_htpasswd_line, everybody)))
                basic = {"htpasswd": {"realm": "basic-realm", "path": str(directory / "htpasswd")}}
                bound = stack.enter_context(_registry(place, basic))
            case "token":
                bound = stack.enter_context(_behind_front(place, everybody, public, health, realm))
        yield RunningRegistry(
            host=host,
            port=bound,
            scheme="https" if tls else "http",
            directory=directory,
            prefix=tuple(prefix),
            admin=admin,
            authority=directory / "tls.crt" if tls is True else None,
        )


@contextmanager
def running_token_service(registry: RunningRegistry, port: int, tls: Mapping[str, object]) -> Iterator[None]:
    """Serve the token service of a registry of the kind "token" at another port too, with this section `tls`."""
    orders = json.loads((registry.directory / "front.json").read_text()) | {"port": port, "tls": dict(tls)}
    file = registry.directory / "tokens.json"
    file.write_text(json.dumps(orders))
    command = [*registry.prefix, sys.executable, str(_HERE / "registry_front.py"), str(file)]
    with _process(command, registry.directory / "tokens.log"):
        yield


def _htpasswd_line(login: Login) -> str:
    return f"{login.name}:{bcrypt.hashpw(login.password.encode(), bcrypt.gensalt(4)).decode()}\n"


def _tls(directory: Path, host: str) -> dict[str, str]:
    write_certificate(directory / "tls.crt", directory / "tls.key", host)
    return {"certificate": str(directory / "tls.crt"), "key": str(directory / "tls.key")}


@contextmanager
def _behind_front(
    place: _Place,
    logins: Sequence[Login],
    public: Sequence[str],
    health: str,
    realm: str | None,
) -> Iterator[int]:
    directory = place.directory
    write_certificate(directory / "token.crt", directory / "token.key", "harbor-token-issuer")
    upstream = directory / "upstream"
    orders = {
        "host": place.host,
        "port": place.port,
        "logins": [asdict(login) for login in logins],
        "public": list(public),
        "health": health,
        "upstream": str(upstream),
        "certificate": str(directory / "token.crt"),
        "key": str(directory / "token.key"),
        "tls": place.sections.get("tls"),
    }
    (directory / "front.json").write_text(json.dumps(orders))
    command = [*place.prefix, sys.executable, str(_HERE / "registry_front.py"), str(directory / "front.json")]
    with _process(command, directory / "front.log") as port:
        scheme = "https" if place.tls else "http"
        token = {
            "realm": realm or f"{scheme}://{place.host}:{port}/service/token",
            "service": "harbor-registry",
            "issuer": "harbor-token-issuer",
            "rootcertbundle": str(directory / "token.crt"),
        }
        behind = _Place(directory=directory, host="127.0.0.1", port=0, prefix=place.prefix, tls=False)
        with _registry(behind, {"token": token}) as registry_port:
            upstream.write_text(str(registry_port))
            yield port


@contextmanager
def _registry(place: _Place, auth: dict[str, object]) -> Iterator[int]:
    http: dict[str, object] = {"addr": f"{place.host}:{place.port}", "secret": "lab", "relativeurls": True}
    configuration: dict[str, object] = {
        "version": "0.1",
        "log": {"level": "info"},
        "storage": {
            "filesystem": {"rootdirectory": str(place.directory / "storage")},
            "delete": {"enabled": True},
        },
        "http": http | place.sections,
    }
    if auth:
        configuration["auth"] = auth
    path = place.directory / "registry.yml"
    path.write_text(yaml.safe_dump(configuration))
    command = [*place.prefix, "docker-registry", "serve", str(path)]
    with _process(command, place.directory / "registry.log") as port:
        yield port


@contextmanager
def _process(command: Sequence[str], log: Path) -> Iterator[int]:
    """Run a server that logs `listening on HOST:PORT`, and yield the port."""
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, env=environment, start_new_session=True
        )
    try:
        wait_until(
            lambda: process.poll() is not None or _port(log) is not None,
            f"{Path(command[-1]).name} listens",
            seconds=_READY_SECONDS,
            every=0.02,
        )
        port = _port(log)
        assert port is not None, f"{' '.join(command)} ended: {log.read_text()[-2000:]}"
        yield port
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _port(log: Path) -> int | None:
    found = re.search(r"listening on [^ ]*:(\d+)", log.read_text(errors="replace"))
    return int(found[1]) if found else None
