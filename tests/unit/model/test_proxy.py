"""NO_PROXY exempts exactly the hosts that Go exempts: tests/cases/no_proxy.yaml holds Go's own judgements."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from harbor_agent.model.proxy import is_exempt

CASES = cast(
    "dict[str, Any]",
    yaml.safe_load((Path(__file__).resolve().parents[2] / "cases/no_proxy.yaml").read_text(encoding="utf-8")),
)
TARGETS = [target for pair in CASES["targets"] for target in pair]


def exempt(no_proxy: str) -> set[str]:
    split = ((target, *target.rsplit(":", 1)) for target in TARGETS)
    return {target for target, host, port in split if is_exempt(host.strip("[]"), int(port), no_proxy)}


def test_there_are_hundreds_of_cases() -> None:
    assert len(CASES["exempt"]) >= 200
    assert len(TARGETS) >= 40


@pytest.mark.parametrize("no_proxy", CASES["exempt"])
def test_no_proxy_exempts_the_hosts_that_go_exempts(no_proxy: str) -> None:
    expected = CASES["exempt"][no_proxy]
    assert exempt(no_proxy) == set(TARGETS if expected == "all" else [*expected, *CASES["always"]])
