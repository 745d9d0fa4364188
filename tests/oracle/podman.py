"""A real podman as the judge of registries.conf: it runs in Debian's root file system, without any network."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.lab.base import base_root
from tests.oracle.registries_conf import ETC, HOME

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Each case has its files below etc and home, and the images to pull in the file images, one a line.
_PROGRAM = Path(__file__).with_suffix(".sh")
_FIXED = {
    f"{ETC}/policy.json": '{"default": [{"type": "insecureAcceptAnything"}]}',
    f"{ETC}/storage.conf": '[storage]\ndriver = "vfs"\nrunroot = "/run/storage"\ngraphroot = "/var/lib/storage"\n',
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What podman made of one set of files: its registries by their prefixes, or the error.

    `pulls` maps each image, none of which can be had, to what podman said of it.
    """

    error: str
    registries: Mapping[str, Any]
    pulls: Mapping[str, str]


def ask_podman(
    suite: str, cases: Sequence[tuple[Mapping[str, str | bytes], Sequence[str]]], folder: Path
) -> list[Answer]:
    """Return what the podman of this Debian makes of each set of files, and of a pull of each image."""
    for number, (contents, images) in enumerate(cases):
        case = folder / str(number)
        for path, content in {**_FIXED, **contents}.items():
            place = case / path.replace(ETC, "etc", 1).replace(HOME, "home", 1).lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content if isinstance(content, bytes) else content.encode())
        (case / "home").mkdir(exist_ok=True)
        (case / "images").write_text("".join(f"{image}\n" for image in images))
    argv = ["unshare", "--mount", "--net", "--propagation=private", "sh", str(_PROGRAM)]
    root = base_root(suite, ("podman",))
    subprocess.run([*argv, str(root), str(folder), str(len(cases))], check=True, timeout=3600)
    return [_read_answer(folder / str(number), images) for number, (_, images) in enumerate(cases)]


def _read_answer(case: Path, images: Sequence[str]) -> Answer:
    said = (case / "info").read_text()
    parts = (case / "pulls").read_text().split("docker://")
    pulls = {image: next((part for part in parts if part.startswith(f"{image}: ")), "") for image in images}
    if not said:
        return Answer((case / "error").read_text(), {}, pulls)
    registries = json.loads(said)
    registries.pop("search", None)
    return Answer("", registries, pulls)
