"""Python imports this first where its folder is in PYTHONPATH: one function of a library fails, and says too much.

`BROKEN` names it, such as `base64:b64encode` or `paramiko:Channel.send`. It fails as soon as it is given the word in
`BROKEN_BY`, with all that it was given in the text of its exception, and leaves the file `BROKEN_REPORT`.
"""

from __future__ import annotations

import importlib
import os
from functools import reduce
from pathlib import Path

_module, _, _place = os.environ["BROKEN"].partition(":")
*_owners, _name = _place.split(".")
_owner = reduce(getattr, _owners, importlib.import_module(_module))
_whole = getattr(_owner, _name)


def _broken(*given: object, **named: object) -> object:
    values = [bytes(one) if isinstance(one, bytes | bytearray | memoryview) else str(one).encode() for one in given]
    if any(os.environ["BROKEN_BY"].encode() in value for value in values):
        Path(os.environ["BROKEN_REPORT"]).write_text("fired\n", encoding="ascii")
        raise ZeroDivisionError(b" ".join(values))
    return _whole(*given, **named)


setattr(_owner, _name, _broken)
