"""The options of every command."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Annotated

from harbor_agent.cli.help import Lang, Panel, build_option


class ColorChoice(enum.StrEnum):
    """When output has colors."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


Color = Annotated[ColorChoice, build_option(Panel.OUTPUT, "--color", "Colors: on a terminal (auto), always or never.")]


Debug = Annotated[
    bool, build_option(Panel.OUTPUT, "--debug", "Also print what is sent to nodes and received, secrets masked.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonOptions:
    """How a command shows what it does."""

    color: Color = ColorChoice.AUTO
    lang: Lang = None
    debug: Debug = False
