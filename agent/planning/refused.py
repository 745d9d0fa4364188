"""How planning stops on one node: raised inside, always turned into a `Refusal`."""

from __future__ import annotations

from agent.errors import Problem


class RefusedError(Exception):
    """The node cannot be planned, or must not be changed; `problem` says why and what to do."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        """Keep the problem."""
        super().__init__(message)
        self.problem = Problem(code=code, message=message, hint=hint)
