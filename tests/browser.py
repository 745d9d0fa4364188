"""Chromium without a window, asked over its debugging protocol (CDP) through a pipe: no port, no driver, no network.

https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SWITCHES = (
    "--headless",
    "--no-sandbox",  # the tests run as root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--remote-debugging-pipe",
)


@dataclass(slots=True)
class Browser:
    """A running Chromium: `requests` and `answers` are the ends of its pipes, `events` what it reported meanwhile."""

    requests: int
    answers: Any
    events: list[dict[str, Any]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def call(self, method: str, session: str | None = None, **parameters: object) -> dict[str, Any]:
        """Call a method and return its result. Raises AssertionError for an error."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.requests, data) :]
        while (answer := self._read()).get("id") != number:
            self.events.append(answer)
        assert "error" not in answer, f"{method}: {answer['error']}"
        result: dict[str, Any] = answer["result"]
        return result

    def wait(self, method: str, session: str) -> dict[str, Any]:
        """Return the first event of this kind in a session."""
        for event in self.events:
            if event.get("method") == method and event.get("sessionId") == session:
                self.events.remove(event)
                return event
        while (event := self._read()).get("method") != method or event.get("sessionId") != session:
            self.events.append(event)
        return event

    def open_page(self, path: Path, *, scripts: bool = True) -> Page:
        """Return the page of a file, loaded."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable", session)
        self.call("Emulation.setScriptExecutionDisabled", session, value=not scripts)
        page = Page(self, session)
        self.call("Page.navigate", session, url=path.as_uri())
        self.wait("Page.loadEventFired", session)
        return page

    def _read(self) -> dict[str, Any]:
        data = bytearray()
        while (byte := self.answers.read(1)) != b"\0":
            assert byte, "chromium ended"
            data += byte
        message: dict[str, Any] = json.loads(data)
        return message


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a browser."""

    browser: Browser
    session: str

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Call a method for this page."""
        return self.browser.call(method, self.session, **parameters)

    def evaluate(self, expression: str) -> Any:  # noqa: ANN401 - what the page says
        """Return the value of a JavaScript expression; a promise is awaited."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release a key: one character, or a name such as Tab or Enter."""
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        code = {"Tab": 9, "Enter": 13, "Escape": 27}.get(key, 0)
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, text=text, windowsVirtualKeyCode=code)

    def emulate(self, *, scheme: str = "light", medium: str = "") -> None:
        """Show the page in a color scheme, and as it is printed if `medium` is "print"."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media=medium, features=features)

    def resize(self, width: int, height: int = 900) -> None:
        """Give the page another size."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def capture(self, path: Path) -> None:
        """Write a picture of what is visible (PNG)."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def list_events(self, method: str) -> list[dict[str, Any]]:
        """Return the events of a kind since the page was opened."""
        self.evaluate("0")  # what came before is read first
        return [
            event["params"]
            for event in self.browser.events
            if event.get("method") == method and event.get("sessionId") == self.session
        ]


@contextmanager
def start_browser(folder: Path) -> Iterator[Browser]:
    """Start Chromium with its profile in `folder`, and end it."""
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    # It reads from 3 and writes to 4; the shell redirects them, because pass_fds keeps the numbers.
    script = f'exec chromium "$@" 3<&{theirs_in} 4>&{theirs_out}'
    process = subprocess.Popen(
        ["/bin/bash", "-c", script, "bash", *_SWITCHES, f"--user-data-dir={folder / 'profile'}", "about:blank"],
        pass_fds=(theirs_in, theirs_out),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"HOME": str(folder)},
    )
    os.close(theirs_in)
    os.close(theirs_out)
    with open(ours_in, "rb") as answers:  # noqa: PTH123 - a pipe
        try:
            browser = Browser(ours_out, answers)
            yield browser
            browser.call("Browser.close")
        finally:
            os.close(ours_out)
            process.terminate()
            process.wait()
