"""Files of registries.conf that nobody thought of, close enough to real ones to matter."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

    Contents = dict[str, str]

KEPT: list[dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("kept_registries.yaml").read_text(encoding="utf-8")
)

ETC = "/etc/containers"
HOME = "/root/.config/containers"
# podman tries those that are addresses again and again, so only the others are pulled from.
NAMED_HOSTS = ("h.lan", "h.lan:5000", "a.h.lan")
HOSTS = (*NAMED_HOSTS, "10.1.2.3", "10.1.2.3:5000", "localhost:5000")
_PREFIXES = (
    *(*HOSTS, *HOSTS, "h.lan/team", "h.lan:5000/team/x", "h.lan/harbor-agent", "h.lan/harbor-agent/none"),
    *("*.lan", "*.h.lan", "*lan", "h.lan/", "h.lan//", "H.lan", "h", "other.lan", "lan"),
)
_BROKEN = (
    "",
    "http://h.lan",
    "https://h.lan/",
    "h.lan:5000@sha256:1",
    "h.lan ",
    "h.lan/team:1",
    "*.lan:5000",
    "*.lan/team",
)
_NAMES = ("00-a.conf", "10-h.conf", "50-h.lan.conf", "Z.conf", "z.conf", "a.conf.bak", ".b.conf", "sub/c.conf")
_SETTINGS = (
    *('unqualified-search-registries = ["docker.io"]', "unqualified-search-registries = []", "unknown = 1"),
    *('short-name-mode = "enforcing"', 'credential-helpers = ["containers-auth.json"]'),
)
_BROKEN_SETTINGS = (
    *('short-name-mode = "Permissive"', 'short-name-mode = "loud"', "registry = []"),
    *('unqualified-search-registries = ["h.lan/team"]', "unqualified-search-registries = 1"),
)
_TAILS = (
    *('[aliases]\n"box" = "h.lan/team/box"', '[aliases]\n"box" = ""', "[other]\nkey = 1", "[aliases]", "# the end"),
    *("[registries.search]", "[registries]"),
)


def generate_contents(count: int, seed: object) -> list[Contents]:
    """Return as many sets of files, by their paths; podman accepts more than half of them."""
    chosen = random.Random(str(seed))
    return [_generate(chosen) for _ in range(count)]


def _generate(chosen: random.Random) -> Contents:
    contents = {}
    if chosen.random() < 0.85:
        contents[f"{ETC}/registries.conf"] = _write_v1(chosen) if chosen.random() < 0.3 else _write_v2(chosen)
    for name in chosen.sample(_NAMES, chosen.choice((0, 0, 1, 1, 2, 3))):
        contents[f"{ETC}/registries.conf.d/{name}"] = _write_drop_in(chosen)
    if chosen.random() < 0.06:
        contents[f"{HOME}/registries.conf"] = _write_v2(chosen)
    if chosen.random() < 0.12:
        contents[f"{HOME}/registries.conf.d/{chosen.choice(_NAMES)}"] = _write_drop_in(chosen)
    return contents


def _write_drop_in(chosen: random.Random) -> str:
    return _write_v1(chosen) if chosen.random() < 0.04 else _write_v2(chosen)


def _write_v1(chosen: random.Random) -> str:
    blocks = []
    for name in chosen.sample(("search", "insecure", "block", "other"), chosen.choice((1, 2, 3, 3))):
        entries = [_pick_prefix(chosen) for _ in range(chosen.choice((0, 1, 1, 2)))]
        if name == "search":
            entries = chosen.sample(("docker.io", "h.lan:5000", "quay.io"), len(entries))
        blocks.append(f"[registries.{name}]\nregistries = {_write_list(chosen, entries)}\n")
        if chosen.random() < 0.1:
            blocks[-1] = f"[registries.{name}]\n"
    if chosen.random() < 0.1:
        blocks.append(_write_table(chosen))
    return _finish(chosen, blocks)


def _write_v2(chosen: random.Random) -> str:
    blocks = []
    if chosen.random() < 0.5:
        blocks.append(f"{chosen.choice(_BROKEN_SETTINGS if chosen.random() < 0.05 else _SETTINGS)}\n")
    blocks += [_write_table(chosen) for _ in range(chosen.choice((0, 1, 1, 1, 2, 3)))]
    if chosen.random() < 0.2:
        blocks.append(f"{chosen.choice(_TAILS)}\n")
    return _finish(chosen, blocks)


def _write_table(chosen: random.Random) -> str:
    indent = chosen.choice(("", "", "  ", "\t"))
    prefix, lines = _pick_prefix(chosen), []
    form = chosen.random()
    if form < 0.75:
        lines.append(f"prefix = {_quote(chosen, prefix)}")
    if form > 0.15 and not (prefix.startswith("*.") and chosen.random() < 0.7):
        lines.append(f"location = {_quote(chosen, prefix if chosen.random() < 0.8 else _pick_prefix(chosen))}")
    if chosen.random() < 0.55:
        lines.append(f"insecure = {chosen.choice(('true', 'true', 'false', 'true # ours'))}")
    if chosen.random() < 0.12:
        lines.append(f"blocked = {chosen.choice(('true', 'false'))}")
    if chosen.random() < 0.1:
        lines.append(chosen.choice(("mirror-by-digest-only = true", "other = 1", 'insecure_ = "x"', "# note", "")))
    if chosen.random() < 0.02:
        lines.append(chosen.choice(('insecure = "true"', "location = 1", 'pull-from-mirror = "all"', "mirror = 1")))
    chosen.shuffle(lines)
    if chosen.random() < 0.08:
        lines = [line.replace("insecure", "Insecure").replace("prefix", "PREFIX") for line in lines]
    mirrors = "".join(_write_mirror(chosen) for _ in range(chosen.choice((0, 0, 0, 0, 0, 1, 2))))
    return "[[registry]]\n" + "".join(f"{indent}{line}\n" for line in lines) + mirrors


def _write_mirror(chosen: random.Random) -> str:
    lines = [f'location = "{chosen.choice(("mirror.lan", "mirror.lan:5000/x", "h.lan"))}"']
    if chosen.random() < 0.4:
        lines.append(f"insecure = {chosen.choice(('true', 'false'))}")
    if chosen.random() < 0.15:
        lines.append(f'pull-from-mirror = "{chosen.choice(("all", "digest-only", "tag-only", "none"))}"')
    if chosen.random() < 0.05:
        lines = lines[1:]
    return "[[registry.mirror]]\n" + "".join(f"{line}\n" for line in lines)


def _finish(chosen: random.Random, blocks: Sequence[str]) -> str:
    text = chosen.choice(("", "\n")).join(blocks)
    if chosen.random() < 0.15:
        text = f"# written by a person\n{text}"
    if chosen.random() < 0.1:
        text = text.rstrip("\n")
    if chosen.random() < 0.1:
        text = text.replace("\n", "\r\n")
    if chosen.random() < 0.02:
        text = chosen.choice((f"\ufeff{text}", f"{text}[", f"{text}\nregistry = 1\n", f"a = 1\na = 2\n{text}"))
    return text


def _pick_prefix(chosen: random.Random) -> str:
    return chosen.choice(_BROKEN if chosen.random() < 0.02 else _PREFIXES)


def _quote(chosen: random.Random, text: str) -> str:
    return f"'{text}'" if chosen.random() < 0.2 else f'"{text}"'


def _write_list(chosen: random.Random, entries: Sequence[str]) -> str:
    quoted = [_quote(chosen, entry) for entry in entries]
    if entries and chosen.random() < 0.3:
        return "[\n" + "".join(f"  {one},{chosen.choice(('', ' # x'))}\n" for one in quoted) + "]"
    return f"[{', '.join(quoted)}]"
