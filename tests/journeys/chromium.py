"""A real browser, driven through a pipe by its own protocol: no driver, no package, no port.

https://chromedevtools.github.io/devtools-protocol/: one JSON object a message, each ended by a NUL
byte, on the descriptors 3 (to the browser) and 4 (from it).
"""

import fcntl
import json
import os
import select
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
PATIENCE = 30
"""Seconds after which what was waited for will not come any more."""
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--remote-debugging-pipe",
)
KEYS = {"Enter": 13, "Escape": 27, "Tab": 9, " ": 32}
Event = dict[str, Any]


class BrowserError(AssertionError):
    """The browser refused something, or what was waited for did not come."""


def installed() -> str | None:
    """The path of a browser of this kind, if there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def running(program: str) -> Iterator["Browser"]:
    with TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as folder:
        ours_read, theirs_write = map(_out_of_the_way, os.pipe())
        theirs_read, ours_write = map(_out_of_the_way, os.pipe())
        null = os.open(os.devnull, os.O_RDWR)
        child = os.posix_spawn(
            program,
            [program, *FLAGS, f"--user-data-dir={folder}", "about:blank"],
            {**os.environ, "HOME": folder},
            file_actions=[
                *((os.POSIX_SPAWN_DUP2, null, number) for number in (0, 1, 2)),
                (os.POSIX_SPAWN_DUP2, theirs_read, 3),
                (os.POSIX_SPAWN_DUP2, theirs_write, 4),
            ],
            setsid=True,
        )
        for descriptor in (theirs_read, theirs_write, null):
            os.close(descriptor)
        try:
            yield Browser(ours_read, ours_write)
        finally:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(ours_read)
            os.close(ours_write)


def _out_of_the_way(descriptor: int) -> int:
    """The same under a number that is none of the browser's."""
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    return moved


class Browser:
    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing
        self._number, self._buffer = 0, b""
        self.events: list[Event] = []

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        os.write(self._writing, json.dumps(message).encode() + b"\0")
        until = monotonic() + PATIENCE
        while (answer := self._next(until, method)).get("id") != number:
            if "method" in answer:
                self.events.append(answer)
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def wait(self, method: str, fits: Callable[[Event], bool] = lambda _: True) -> Event:
        """The first event of that name that fits; it is taken out of what was heard."""
        until = monotonic() + PATIENCE
        while True:
            for place, event in enumerate(self.events):
                if event["method"] == method and fits(event["params"]):
                    del self.events[place]
                    params: Event = event["params"]
                    return params
            self.events.append(self._next(until, method))

    def page(self) -> "Page":
        """In a profile of its own: no other page's storage, cache or network."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)
        return Page(self, target["targetId"], context)

    def _next(self, until: float, waits_for: str) -> Event:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._reading], [], [], max(0, until - monotonic()))
            if not ready:
                raise BrowserError(f"{waits_for} did not come within {PATIENCE} seconds")
            read = os.read(self._reading, 1 << 20)
            if not read:
                raise BrowserError("the browser is gone")
            self._buffer += read
        message, _, self._buffer = self._buffer.partition(b"\0")
        parsed: Event = json.loads(message)
        return parsed


class Page:
    def __init__(self, browser: Browser, target: str, context: str) -> None:
        self.browser, self.context = browser, context
        attached = browser.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session: str = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self.browser.call(method, self.session, **parameters)

    def beside(self) -> "Page":
        """Another tab of the same person."""
        target = self.browser.call(
            "Target.createTarget", url="about:blank", browserContextId=self.context
        )
        return Page(self.browser, target["targetId"], self.context)

    def wait(self, method: str, fits: Callable[[Event], bool] = lambda _: True) -> Event:
        return self.browser.wait(method, fits)

    def close(self) -> None:
        """All tabs of this person, and whatever was kept for them."""
        self.browser.call("Target.disposeBrowserContext", browserContextId=self.context)

    def go(self, url: str) -> None:
        answer = self.call("Page.navigate", url=url)
        if "errorText" in answer:
            raise BrowserError(f"{url}: {answer['errorText']}")
        self.until("document.readyState === 'complete'")

    def evaluate(self, script: str) -> Any:
        answer = self.call(
            "Runtime.evaluate",
            expression=script,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise BrowserError(details.get("exception", {}).get("description", details["text"]))
        return answer["result"].get("value")

    def until(self, condition: str) -> None:
        """Until it is true of the page, which looks at it again and again."""
        looks = f"""new Promise((resolve) => {{
            const end = Date.now() + {PATIENCE - 5} * 1000;
            (function look() {{
                let found = false;
                try {{ found = !!({condition}); }} catch (_) {{ /* Not there yet. */ }}
                if (found || Date.now() > end) resolve(found); else setTimeout(look, 10);
            }})();
        }})"""
        try:
            found = self.evaluate(looks)
        except BrowserError as error:
            if "navigated" not in str(error) and "destroyed" not in str(error):
                raise
            found = self.evaluate(looks)
        if not found:
            raise BrowserError(f"this never came true: {condition}")

    def press(self, key: str, *, shift: bool = False) -> None:
        code, modifiers = KEYS[key], 8 if shift else 0
        text = {"Enter": "\r", " ": " "}.get(key)
        common = {
            "key": key,
            "code": "Space" if key == " " else key,
            "windowsVirtualKeyCode": code,
            "modifiers": modifiers,
        }
        pressed = {"type": "keyDown", "text": text} if text else {"type": "rawKeyDown"}
        self.call("Input.dispatchKeyEvent", **common, **pressed)
        self.call("Input.dispatchKeyEvent", **common, type="keyUp")

    def picks(self, opens: Callable[[], None], *files: str) -> None:
        """The files that a person picks in the window that `opens` opens."""
        self.call("Page.setInterceptFileChooserDialog", enabled=True)
        opens()
        window = self.wait("Page.fileChooserOpened")
        self.call("DOM.setFileInputFiles", files=files, backendNodeId=window["backendNodeId"])
        self.call("Page.setInterceptFileChooserDialog", enabled=False)

    def type(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def network(
        self, *, offline: bool = False, latency: int = 0, bytes_per_second: int = -1
    ) -> None:
        """`latency` in milliseconds; -1: as fast as it goes."""
        self.call(
            "Network.emulateNetworkConditions",
            offline=offline,
            latency=latency,
            downloadThroughput=bytes_per_second,
            uploadThroughput=bytes_per_second,
        )

    def block(self, *patterns: str) -> None:
        """Addresses that cannot be reached from now on; none: all can."""
        self.call("Network.setBlockedURLs", urls=list(patterns))

    def complaints(self) -> list[str]:
        """What broke in a script, and what the page's own policy forbade."""
        heard = [one for one in self.browser.events if one.get("sessionId") == self.session]
        broken = [
            one["params"]["exceptionDetails"]["text"]
            for one in heard
            if one["method"] == "Runtime.exceptionThrown"
        ]
        entries = [one["params"]["entry"] for one in heard if one["method"] == "Log.entryAdded"]
        wrong = [
            one["text"]
            for one in entries
            if one["source"] in {"security", "javascript", "violation"}
        ]
        return broken + wrong
