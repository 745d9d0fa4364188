"""Files in dockerd's folder of a registry's certificates with which every pull from it fails.

They are those that moby's ReadCertsDirectory (registry/registry.go) stops at. A pair that does not match is only found
by a pull: keys do not leave the node.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = "/etc/docker/certs.d"
_HINT = "correct or remove the file; a CA needs a name that ends in .crt"


def find_folder_fault(files: Mapping[str, str], entry: str) -> Problem | None:
    """Return the first fault in the folder of a registry, host[:port]; None if dockerd can read it.

    `files` maps the path of each certificate and key to "file", "directory" or "missing" (a link to nothing).
    """
    folder = f"{FOLDER}/{entry}"
    found = {posixpath.basename(path): kind for path, kind in files.items() if posixpath.dirname(path) == folder}
    for name, kind in sorted(found.items()):
        stem, _, suffix = name.rpartition(".")
        if suffix == "crt" and kind != "file":
            return _build_fault(f"{folder}/{name} is {'a directory' if kind == 'directory' else 'a link to no file'}")
        if suffix == "cert" and f"{stem}.key" not in found:
            return _build_fault(f"{folder}/{name} is a client certificate without its key {stem}.key")
        if suffix == "key" and f"{stem}.cert" not in found:
            return _build_fault(f"{folder}/{name} is a key without its client certificate {stem}.cert")
    return None


def _build_fault(message: str) -> Problem:
    return Problem(
        code="certificate-folder-broken", message=f"{message}: dockerd cannot pull from this registry", hint=_HINT
    )
