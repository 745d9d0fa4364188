"""Answers that deny a login or a pull, as problems with a code each; none contains the password."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.registry.origin import format_origin

if TYPE_CHECKING:
    from harbor_agent.model.address import Address
    from harbor_agent.registry.answer import Answer

_PRECONDITION_FAILED = 412
_POLICY = re.compile(
    r"polic|vulnerab|severit|signed|signature|cosign|notary|not scanned|quarantin|prevent", re.IGNORECASE
)


def describe_rejected_login(address: Address, username: str, answer: Answer) -> Problem:
    """Return the problem of a login that the registry rejects."""
    return Problem(
        code="registry-credentials-wrong",
        message=f"{address} rejects the login of '{username}' (HTTP {answer.status}){_format_reason(answer)}",
        hint="check user name and password; a robot account is named robot$project+name, may be disabled or expired, "
        "and its $ must be quoted in a shell",
    )


def describe_malformed_login(address: Address, username: str, answer: Answer) -> Problem:
    """Return the problem of a login of a form that the registry does not understand (HTTP 400)."""
    return Problem(
        code="registry-login-malformed",
        message=f"{address} cannot read the login of '{username}' (HTTP {answer.status}){_format_reason(answer)}",
        hint="check that the password is complete: not cut off, without line ends, and not encoded in base64",
    )


def describe_rejected_token(address: Address, realm: str, answer: Answer) -> Problem:
    """Return the problem of a registry that rejects its token service's token."""
    return Problem(
        code="registry-token-refused",
        message=f"{address} rejects the token that {format_origin(realm)} issued for the login "
        f"(HTTP {answer.status}){_format_reason(answer)}",
        hint="check the clocks of both, and that the registry trusts the token service's certificate",
    )


def is_policy(answer: Answer) -> bool:
    """Whether an answer denies a pull by a rule about images, not about users; Harbor's is 412."""
    return answer.status == _PRECONDITION_FAILED or bool(_POLICY.search(answer.reason))


def describe_policy(image: str, answer: Answer) -> Problem:
    """Return the problem of an image that the registry's rules withhold."""
    return Problem(
        code="registry-policy-refused",
        message=f"the registry's policy forbids pulling {image} (HTTP {answer.status}){_format_reason(answer)}; "
        "the login is valid",
        hint="fix or sign the image, or change the policy of its project",
    )


def describe_denied_pull(image: str, username: str, answer: Answer) -> Problem:
    """Return the problem of an account that may not pull an image."""
    project = image.partition("/")[2].split("/")[0]
    return Problem(
        code="registry-pull-denied",
        message=f"user '{username}' is not allowed to pull {image} (HTTP {answer.status}){_format_reason(answer)}",
        hint=f"grant the account pull access to {project}, or check the name",
    )


def describe_missing_image(image: str) -> Problem:
    """Return the problem of an image that the registry does not have."""
    return Problem(
        code="registry-image-missing",
        message=f"{image} does not exist",
        hint="check repository and tag; some registries also give this answer if pulling is not allowed",
    )


def describe_login_not_requested(address: Address, image: str, login: str) -> Problem:
    """Return the problem of a private image at a registry whose /v2/ is open; `login` is added to the message."""
    return Problem(
        code="registry-login-not-requested",
        message=f"{image} requires a login, but {address} requests none at /v2/, so dockerd sends none{login}",
        hint="turn off anonymous access at the registry (zot: no anonymous policy beside private repositories; Nexus "
        "and Artifactory: no anonymous pull), or pull with another runtime",
    )


def _format_reason(answer: Answer) -> str:
    reason = answer.reason.rstrip(": ")  # Harbor's own ends with an empty cause
    return f": {reason}" if reason else ""
