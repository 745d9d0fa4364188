"""New files from templates."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Template

# Jinja2 texts by their names in templates/.
Templates = Mapping[str, str]


def render_text(template: str, **values: object) -> str:
    """Return the template filled in; a name in it that is not given is an error of ours."""
    return _compile(template).render(values)


@lru_cache(maxsize=8)
def _compile(template: str) -> Template:
    # jinja2 takes 30 ms to import: only a plan that makes a new file pays for it
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415

    # what comes out is unit text or JSON, never HTML
    environment = Environment(
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        autoescape=False,  # noqa: S701
    )
    return environment.from_string(template)
