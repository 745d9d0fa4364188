"""Kubeconfig files, found and merged as kubectl does it. Errors never quote their content.

Rules: k8s.io/client-go/tools/clientcmd/loader.go. The first file that has an entry of a name wins with all of it, a
missing file of $KUBECONFIG is passed over, and relative paths are relative to the file that they are written in.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import yaml

from harbor_agent.errors import UsageError

_DEFAULT: Final = "~/.kube/config"
_LISTS: Final = {"clusters": "cluster", "contexts": "context", "users": "user"}
_PATHS: Final = {
    "cluster": ("certificate-authority",),
    "user": ("client-certificate", "client-key", "tokenFile"),
    "context": (),
}

Entry = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedKubeconfig:
    """All entries by name, paths absolute. `source` is what errors call it."""

    source: str
    current_context: str = ""
    clusters: dict[str, Entry] = field(default_factory=dict, repr=False)
    contexts: dict[str, Entry] = field(default_factory=dict, repr=False)
    users: dict[str, Entry] = field(default_factory=dict, repr=False)

    def choose_context(self, context: str | None) -> tuple[str, Entry]:
        """Return name and content of the context chosen, else of the current one. Raises UsageError."""
        name = context or self.current_context
        if not name:
            raise build_invalid_error(self.source, "it has no current-context; choose one with --context")
        if name not in self.contexts:
            known = ", ".join(sorted(self.contexts)) or "none"
            raise build_invalid_error(self.source, f"it has no context '{name}' (available: {known})")
        return name, self.contexts[name]


def find_files(kubeconfig: str | None) -> tuple[Path, ...]:
    """Return the files that kubectl would read, empty for a pod's service account.

    That is `kubeconfig`, else those of $KUBECONFIG that exist, else ~/.kube/config. Raises UsageError
    `kubeconfig-missing`.
    """
    if kubeconfig:
        path = Path(kubeconfig).expanduser()
        if not path.is_file():
            raise _build_missing_error(f"kubeconfig {path} does not exist")
        return (path,)
    named = [Path(name).expanduser() for name in os.environ.get("KUBECONFIG", "").split(os.pathsep) if name]
    present = tuple(path for path in dict.fromkeys(named) if path.is_file())
    if named and not present:
        raise _build_missing_error(f"KUBECONFIG names {named[0]}, which does not exist")
    default = Path(_DEFAULT).expanduser()
    if present or default.is_file():
        return present or (default,)
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return ()
    raise _build_missing_error(f"no kubeconfig was given, and {default} does not exist")


def read_files(paths: tuple[Path, ...]) -> MergedKubeconfig:
    """Return the merged content. Raises UsageError `kubeconfig-invalid`, OSError for a file that cannot be read."""
    source = "kubeconfig " + os.pathsep.join(str(path) for path in paths)
    merged: dict[str, dict[str, Entry]] = {name: {} for name in _LISTS}
    current = ""
    for path in paths:
        document = _parse(path)
        own = document.get("current-context")
        current = current or (own if isinstance(own, str) else "")
        for name, member in _LISTS.items():
            merged[name] = _read_entries(path, document.get(name), member) | merged[name]
    return MergedKubeconfig(source=source, current_context=current, **merged)


def require_files(source: str, member: str, name: str, content: Entry) -> None:
    """Raise UsageError `kubeconfig-invalid` for a file of an entry that cannot be read and is not given as data too."""
    for key in _PATHS[member]:
        path = content.get(key)
        if not isinstance(path, str) or not path or content.get(f"{key}-data"):
            continue
        try:
            with Path(path).open("rb") as file:
                file.read(1)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise build_invalid_error(source, f"cannot read {path} ({key} of {member} '{name}'): {reason}") from None


def build_invalid_error(source: str, reason: str) -> UsageError:
    """Return the error for a kubeconfig that cannot be used."""
    return UsageError.of(
        "kubeconfig-invalid",
        f"cannot use {source}: {reason}",
        "compare with `kubectl config view`, and try `kubectl version` with the same file",
    )


def _parse(path: Path) -> Entry:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" (line {mark.line + 1})" if mark else ""  # the error's own text would quote the file
        raise build_invalid_error(f"kubeconfig {path}", f"it is not valid YAML{line}") from None
    except UnicodeDecodeError:
        raise build_invalid_error(f"kubeconfig {path}", "it is not UTF-8") from None
    if document is not None and not isinstance(document, dict):
        raise build_invalid_error(f"kubeconfig {path}", "its structure is not that of a kubeconfig")
    return document or {}


def _read_entries(path: Path, listed: object, member: str) -> dict[str, Entry]:
    """Return the entries of a list by name, with absolute paths. Raises UsageError."""
    found: dict[str, Entry] = {}
    if listed is not None and not isinstance(listed, list):
        raise build_invalid_error(f"kubeconfig {path}", f"its {member}s are not a list")
    for item in listed or []:
        name = item.get("name") if isinstance(item, dict) else None
        content = item.get(member) if isinstance(item, dict) else None
        if not isinstance(name, str) or not isinstance(content, dict | None):
            raise build_invalid_error(f"kubeconfig {path}", f"a {member} in it has no name or no content")
        if name in found:
            raise build_invalid_error(f"kubeconfig {path}", f"it defines {member} '{name}' twice")
        found[name] = _resolve_paths(path.absolute().parent, dict(content or {}), member)
    return found


def _resolve_paths(folder: Path, content: Entry, member: str) -> Entry:
    for key in _PATHS[member]:
        value = content.get(key)
        if isinstance(value, str) and value:
            content[key] = str(folder / value)
    plugin = content.get("exec") if member == "user" else None
    command = plugin.get("command") if isinstance(plugin, dict) else None
    if isinstance(plugin, dict) and isinstance(command, str) and os.sep in command:  # else it is found in PATH
        content["exec"] = plugin | {"command": str(folder / command)}
    return content


def _build_missing_error(message: str) -> UsageError:
    return UsageError.of(
        "kubeconfig-missing", message, "specify one with --kubeconfig, or with `kubeconfig:` in harbor-agent.yaml"
    )
