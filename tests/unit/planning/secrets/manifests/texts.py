"""Manifests to annotate, and what comes of them."""

from __future__ import annotations

import textwrap

from harbor_agent.errors import Problem
from harbor_agent.model.address import Address
from harbor_agent.model.workloads.template import PULL_SECRETS_ANNOTATION
from harbor_agent.planning.secrets.manifests import AnnotatedManifest, AnnotationSpec, annotate

HARBOR = "192.168.0.99"


def attempt(text: str, *registries: str, secret: str = "pull") -> AnnotatedManifest | Problem:
    wish = AnnotationSpec(secret=secret, registries=tuple(Address.parse(registry) for registry in registries))
    return annotate("f.yaml", text, wish)


def annotated(text: str, *registries: str, secret: str = "pull") -> AnnotatedManifest:
    result = attempt(text, *registries, secret=secret)
    assert isinstance(result, AnnotatedManifest), result
    again = attempt(result.text, *registries, secret=secret)
    assert isinstance(again, AnnotatedManifest)
    assert again.text == result.text, "twice is as good as once"
    assert not any(one.is_changed for one in again.workloads)
    return result


def refusal(text: str, *registries: str) -> Problem:
    result = attempt(text, *registries)
    assert isinstance(result, Problem)
    return result


def pod(*, metadata: str = "metadata: {}", spec: str = "containers: [{name: web}]") -> str:
    """A Deployment whose template has these lines, indented as they must be."""
    return (
        "apiVersion: apps/v1\nkind: Deployment\nspec:\n  template:\n"
        + textwrap.indent(f"{metadata}\nspec:\n{textwrap.indent(spec, '  ')}\n", "    ")
    )  # fmt: skip


ANNOTATED = f'metadata: {{annotations: {{{PULL_SECRETS_ANNOTATION}: \'{{"web":"pull"}}\'}}}}'
NAMED = "imagePullSecrets: [{name: pull}]\ncontainers: [{name: web}]"
