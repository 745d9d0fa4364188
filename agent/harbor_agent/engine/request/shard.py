"""The shard that --shard names, or that an Indexed Job of Kubernetes numbers."""

from __future__ import annotations

import os
import re

from harbor_agent.errors import UsageError
from harbor_agent.model.inventory import Shard

_INDEX = "JOB_COMPLETION_INDEX"
_AUTO = "auto"


def parse_shard(text: str) -> Shard:
    """Parse I/N, or auto/N in a pod of an Indexed Job. Raises UsageError.

    Kubernetes sets $JOB_COMPLETION_INDEX, from 0, since 1.22. Older API servers drop `completionMode` without a word,
    and every pod of the Job would take all of the work for its own; so a missing number is refused.
    """
    match = re.fullmatch(r"(auto|[0-9]{1,5})/([0-9]{1,5})", text)
    if match is None:
        message = f"--shard: '{text}' is not I/N or auto/N"
        raise UsageError.of("shard-invalid", message, "write the number of the shard and of all shards, such as 2/4")
    index, count = match[1], int(match[2])
    number = _read_job_index(text) + 1 if index == _AUTO else int(index)
    if not 1 <= number <= count:
        named = f"${_INDEX} is {number - 1}" if index == _AUTO else f"'{text}' is not a shard"
        message = f"--shard: {named}, and there are {count} shards"
        hint = f"set completions: {count} in the Job" if index == _AUTO else f"use 1/{count} to {count}/{count}"
        raise UsageError.of("shard-invalid", message, hint)
    return Shard(index=number, count=count)


def _read_job_index(option: str) -> int:
    value = os.environ.get(_INDEX, "")
    if not re.fullmatch(r"[0-9]{1,5}", value):
        raise UsageError.of(
            "shard-index-missing",
            f"--shard {option}: ${_INDEX} is {'not set' if not value else repr(value)}",
            "set completionMode: Indexed in the Job; before Kubernetes 1.22 create one Job per shard, with --shard I/N",
        )
    return int(value)
