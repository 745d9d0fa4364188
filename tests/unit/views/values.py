"""Values that the tests of several formats render."""

from __future__ import annotations

from harbor_agent.errors import Problem
from harbor_agent.views.outline.value import Item, Kind, Outline, Verdict

HOSTILE = "</code></details><script>alert(1)</script> @root #1 !2 ![x](http://x/y) `` ` ]]> \x00 \x1b[31m &amp;"
DIFF = "--- /etc/a\n+++ /etc/a\n@@ -1 +1 @@\n-DOCKER_OPTS=--debug\n+DOCKER_OPTS=--insecure-registry=h.lan\n"
REFUSED = Problem(code="docker-absent", message="there is no Docker", hint="install docker, then plan again")
SILENT = Problem(code="ssh-timeout", message="node9: no answer within 10 s", hint="check that it is up")


def build_item(name: str, verdict: Verdict = Verdict.FINE, status: str = "unchanged", **rest: object) -> Item:
    return Item(name=name, verdict=verdict, status=status, **rest)  # type: ignore[arg-type]


def build_fleet(count: int, diff: str = DIFF) -> tuple[Item, ...]:
    """Return nodes of which two differ from the rest: one is refused, one does not answer."""
    same = [
        build_item(
            f"node{number}",
            Verdict.PENDING,
            "change",
            title=("drop-in", "restart"),
            reason="h.lan is missing",
            diff=diff,
            runtime="docker",
            timings=(("plan", 1.25),),
        )
        for number in range(count - 2)
    ]
    return (
        *same,
        build_item("node8000", Verdict.FAILURE, "refused", problem=REFUSED, runtime="containerd"),
        build_item("node9000", Verdict.ERROR, "unreachable", problem=SILENT),
    )


def build_hostile_outline() -> Outline:
    """Return a report in which everything that a node, a user or a registry can write is hostile."""
    problem = Problem(code=HOSTILE, message=HOSTILE, hint=f"{HOSTILE}\n/close\n```\n{HOSTILE}")
    item = build_item(
        HOSTILE,
        Verdict.FAILURE,
        "failed",
        reason=HOSTILE,
        problem=problem,
        objection=Problem(code="containers-would-stop", message=HOSTILE, hint=HOSTILE),
        diff=f"--- {HOSTILE}\n+```\n+{HOSTILE}\n{HOSTILE}\n",
        remarks=(HOSTILE,),
        warnings=(Problem(code="w", message=HOSTILE, hint=HOSTILE),),
        runtime="docker",
        timings=(("plan", 1.0),),
    )
    return Outline(
        command="plan",
        summary="Plan: 0 to change, 2 failed",
        items=(
            item,
            build_item(f"{HOSTILE}2", Verdict.PENDING, "change", reason=HOSTILE, diff=f"+{HOSTILE}"),
            build_item(HOSTILE, kind=Kind.SECRET, remarks=(HOSTILE,)),
        ),
        exit_code=1,
        facts=(("note", HOSTILE),),
        warnings=(problem,),
    )
