"""Every case of tests/cases/dns: the plan, its removal, and that one name changes and nothing else.

HARBOR_AGENT_DNS_CORPUS names a folder with more cases of the same form.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from harbor_agent.formats.corefile.parser import parse_corefile
from harbor_agent.model.dns import (
    CUSTOM_NAME,
    ConfigMapState,
    DnsEntry,
    DnsServer,
    EntryForm,
    RecordedEntry,
    ServerKind,
)
from harbor_agent.planning.dns.plan import plan_dns
from harbor_agent.planning.dns.record import write_record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harbor_agent.model.dns import (
        DnsPlan,
    )

ROOT = Path(__file__).resolve().parents[4]
FOLDERS = [ROOT / "tests/cases/dns", *(Path(text) for text in [os.environ.get("HARBOR_AGENT_DNS_CORPUS")] if text)]
CASES = sorted({path.name: path for folder in FOLDERS for path in folder.iterdir() if path.is_dir()}.items())
ENTRY = DnsEntry(name="harbor.lan", address="192.168.0.99")
LEAST_CASES = 15


@dataclass(frozen=True)
class Case:
    """What a folder holds: `custom` is the other ConfigMap's keys, None if it is not there."""

    about: Mapping[str, object]
    before: Mapping[str, str]
    custom: Mapping[str, str] | None
    expected: Mapping[str, str]
    expected_custom: Mapping[str, str] | None

    @property
    def wanted(self) -> Mapping[str, object]:
        wanted = self.about["want"]
        assert isinstance(wanted, dict)
        return wanted


def read_texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_bytes().decode() for path in folder.iterdir() if path.is_file()}


def read_case(folder: Path) -> Case:
    custom, expected = folder / "before" / CUSTOM_NAME, folder / "expected"
    return Case(
        about=yaml.safe_load((folder / "case.yaml").read_text(encoding="utf-8")),
        before=read_texts(folder / "before"),
        custom=read_texts(custom) if custom.is_dir() else None,
        expected=read_texts(expected if expected.is_dir() else folder / "before"),
        expected_custom=read_texts(expected / CUSTOM_NAME) if (expected / CUSTOM_NAME).is_dir() else None,
    )


def build_server(case: Case) -> DnsServer:
    namespace, _, name = str(case.about["object"]).split(" ")[0].partition("/")
    config = ConfigMapState(
        namespace=namespace,
        name="coredns" if name == CUSTOM_NAME else name,
        data=case.before,
        managers=frozenset({str(case.about["field_manager"])} if "field_manager" in case.about else ()),
        uid="1",
    )
    if "record" in case.about:
        config = write_record(config, [RecordedEntry(entry=ENTRY, key="Corefile", form=EntryForm.DIRECTIVE)])
    version = re.search(r"(\d+)\.(\d+)\.(\d+)", str(case.about["server"]))

    def read_addresses(key: str) -> tuple[str, ...] | None:
        found = case.about.get(key)
        return tuple(map(str, found)) if isinstance(found, list) else None

    return DnsServer(
        kind=ServerKind.NODE_CACHE if "node-cache" in str(case.about["server"]) else ServerKind.COREDNS,
        config=config,
        custom=None
        if case.custom is None
        else ConfigMapState(namespace=namespace, name=CUSTOM_NAME, data=case.custom, uid="2"),
        version=tuple(map(int, version.groups())) if version else None,
        node_resolvers=read_addresses("node_resolv"),
        coredns_upstreams=read_addresses("coredns_upstream"),
    )


def apply_plan(plan: DnsPlan) -> DnsServer:
    """The server once the plan is applied."""
    server = plan.server
    for change in plan.changes:
        after = replace(change.after, uid=change.before.uid or "3") if change.after else None
        if change.before.name == CUSTOM_NAME:
            server = replace(server, custom=after)
        else:
            assert after
            server = replace(server, config=after)
    return server


def meaning(texts: Mapping[str, str]) -> object:
    """What the texts mean, whatever the place of a directive in its block and of an entry in hosts."""
    return {key: meaning_of(text) if "{" in text else text for key, text in texts.items()}


def meaning_of(text: str) -> object:
    blocks = []
    for block in parse_corefile(text).blocks:
        words = sorted(
            (
                directive.name,
                tuple(token.text for token in directive.arguments),
                tuple(sorted(line.texts for line in directive.lines)),
            )
            for directive in block.directives
        )
        blocks.append((tuple(key.text for key in block.keys), words))
    return blocks


def test_no_case_is_lost() -> None:
    assert len(CASES) >= LEAST_CASES


@pytest.mark.parametrize("folder", [path for _, path in CASES], ids=[name for name, _ in CASES])
class TestCase:
    def test_the_plan_is_the_expected_one(self, folder: Path) -> None:
        case = read_case(folder)
        plan = plan_dns(build_server(case), [ENTRY])
        if case.wanted["action"] == "refuse":
            assert plan.refusal
            assert plan.refusal.code == case.wanted["code"]
            return
        assert plan.refusal is None
        assert bool(plan.changes) == (case.wanted["action"] == "change")
        after = apply_plan(plan)
        assert meaning(after.config.data) == meaning(case.expected)
        assert (after.custom is None) == (case.expected_custom is None)
        if after.custom and case.expected_custom:
            assert meaning(after.custom.data) == meaning(case.expected_custom)
        if "finding" in case.wanted:
            assert f"dns-{case.wanted['finding']}" in {warning.code for warning in plan.warnings}

    def test_what_was_there_is_kept_and_a_second_plan_changes_nothing(self, folder: Path) -> None:
        plan = plan_dns(build_server(read_case(folder)), [ENTRY])
        for change in plan.changes:
            for key, text in change.before.data.items():
                kept = iter(change.after.data[key].splitlines(keepends=True) if change.after else ())
                assert all(line in kept for line in text.splitlines(keepends=True))
        assert plan_dns(apply_plan(plan), [ENTRY]).changes == ()

    @pytest.mark.parametrize("newline", ["\n", "\r\n"])
    @pytest.mark.parametrize("last", ["as it is", "missing"])
    def test_removal_leads_back_to_the_same_bytes(self, folder: Path, newline: str, last: str) -> None:
        case = read_case(folder)
        data = {key: text.replace("\n", newline) for key, text in case.before.items()}
        if last == "missing":
            data = {key: text.rstrip() for key, text in data.items()}
        server = build_server(replace(case, before=data))
        plan = plan_dns(server, [ENTRY])
        if "record" in case.about:
            return
        after = plan_dns(apply_plan(plan), [], [ENTRY.name])
        assert after.refusal == plan.refusal
        restored = apply_plan(after)
        assert (restored.config, restored.custom) == (server.config, server.custom)
        two = plan_dns(server, [ENTRY, DnsEntry(name="core.other.lan", address="192.168.0.98")])
        assert apply_plan(plan_dns(apply_plan(two), [], [ENTRY.name, "core.other.lan"])).config == server.config
        assert apply_plan(plan_dns(apply_plan(two), [], ["core.other.lan", ENTRY.name])).config == server.config


def test_a_recorded_directive_is_removed_although_its_comment_is_lost() -> None:
    case = read_case(ROOT / "tests/cases/dns/kubeadm-migrated-comments-lost")
    plan = plan_dns(build_server(case), [], [ENTRY.name])
    assert "hosts" not in apply_plan(plan).config.data["Corefile"]
