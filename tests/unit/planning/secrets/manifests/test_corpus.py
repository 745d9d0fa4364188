"""Thousands of manifests, made on the spot: where nothing is to be changed, no byte of a file changes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.workloads.manifests import annotate_manifests, build_annotation_spec
from harbor_agent.model.address import Address
from harbor_agent.model.result import Outcome
from tests.unit.planning.secrets.manifests.corpus import SHAPES, make_manifest

if TYPE_CHECKING:
    from pathlib import Path

    from harbor_agent.planning.secrets.manifests import AnnotationSpec

MANIFESTS, PARTS = 8_400, 12
HAVE_IT = build_annotation_spec("pull", [], all_kinds=True)
NONE_FROM_THERE = build_annotation_spec("pull", [Address.parse("192.168.0.99")], all_kinds=True)


def unchanged(path: Path, spec: AnnotationSpec, content: bytes) -> int:
    """Annotate a file in place; return its workloads. Nothing in it may change."""
    path.write_bytes(content)
    before = path.stat()
    (file,) = annotate_manifests([str(path)], spec, in_place=True)
    assert file.problem is None, f"{file.problem}\n{content.decode()}"
    assert (file.outcome, file.diff) == (Outcome.UNCHANGED, ""), content.decode()
    assert path.read_bytes() == content
    after = path.stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)
    return len(file.workloads)


@pytest.mark.parametrize("part", range(PARTS))
def test_no_byte_changes_where_nothing_is_to_be_changed(tmp_path: Path, part: int) -> None:
    found = 0
    for number in range(part, MANIFESTS, PARTS):
        made = make_manifest(number)
        workloads = unchanged(tmp_path / "f.yaml", HAVE_IT if made.has_secret else NONE_FROM_THERE, made.text.encode())
        assert workloads == made.workloads, made.text
        found += workloads
    assert found > MANIFESTS / PARTS / 2


def test_the_manifests_have_every_shape() -> None:
    made = [make_manifest(number) for number in range(600)]
    assert Counter(one.shape for one in made) == dict.fromkeys(SHAPES, 60)
    signs = (
        "\r\n",
        "\ufeff",
        "\t",
        "&shared",
        "<<: *",
        "|2",
        ">-",
        "kind: List",
        "{{",
        "%YAML",
        "}{",
        "# -",
        "\n...\n",
    )
    for sign in signs:
        assert any(sign in one.text for one in made), sign
    assert len({one.text for one in made}) == len(made)
