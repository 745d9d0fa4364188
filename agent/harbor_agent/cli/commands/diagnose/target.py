"""What `diagnose` is asked about: a pod, an image, or the text of an error."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

from harbor_agent.errors import UsageError

STANDARD_INPUT = "-"
_POD = re.compile(r"(?:(?P<namespace>[^/.]+)/)?(?P<name>[^/]+)\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Exactly one of the three: `pod` with its `namespace` (None: the context's), `image`, or `message`."""

    pod: str = ""
    namespace: str | None = None
    image: str = ""
    message: str | None = None


def parse_target(subject: str | None, namespace: str | None, message: str | None) -> Target:
    """Parse the argument and its options; `-` as the message reads standard input. Raises UsageError.

    With `:`, `@`, a host with a dot, or two slashes it is an image; otherwise it is a pod, as NAME or NAMESPACE/NAME.
    """
    if subject is not None and message is not None:
        raise _refuse("a pod or an image and --message cannot be used together")
    if subject is not None:
        return _parse_subject(subject, namespace)
    if message is None:
        raise _refuse("nothing is named")
    if namespace is not None:
        raise UsageError.of("flags-ambiguous", "option -n is about a pod, and no pod is named", "leave out -n")
    return Target(message=sys.stdin.read() if message == STANDARD_INPUT else message)


def _parse_subject(subject: str, namespace: str | None) -> Target:
    found = None if ":" in subject or "@" in subject else _POD.match(subject)
    if found is None or (found["namespace"] == "localhost" and namespace is None):
        if namespace is not None:
            raise UsageError.of(
                "flags-ambiguous", f"option -n is about a pod, and '{subject}' is an image", "leave out -n"
            )
        return Target(image=subject)
    if found["namespace"] and namespace not in (None, found["namespace"]):
        raise UsageError.of(
            "flags-ambiguous", f"'{subject}' names a namespace, and -n names another one", "leave out -n"
        )
    return Target(pod=found["name"], namespace=found["namespace"] or namespace)


def _refuse(reason: str) -> UsageError:
    return UsageError.of("flags-ambiguous", reason, "give a pod, an image, or --message TEXT")
