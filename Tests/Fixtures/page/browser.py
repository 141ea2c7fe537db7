"""Headless Chromium, driven by its DevTools protocol over a pipe; standard library only."""

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WAIT_SECONDS = 20

# Chromium reads the protocol from descriptor 3 and writes it to 4.
LAUNCHER = """
import os, sys
reading, writing = (os.dup(int(number)) for number in sys.argv[1:3])
reading, writing = os.dup2(reading, 30), os.dup2(writing, 31)
os.dup2(reading, 3), os.dup2(writing, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""

KEYS = {"Enter": 13, "Escape": 27, "Tab": 9, "ArrowLeft": 37, "ArrowRight": 39, "Space": 32}


def executable():
    """The path of a Chromium; None where there is none."""
    given = os.environ.get("MOE_CHROMIUM")
    return given or next(filter(None, map(shutil.which, NAMES)), None)


class BrowserError(Exception):
    """One sentence: what the browser didn't do."""


class Browser:
    """A browser process; pages of it share nothing with each other."""

    def __init__(self):
        self.profile = tempfile.mkdtemp(prefix="moe-page-")
        reading, self.commands = os.pipe()
        self.answers, writing = os.pipe()
        flags = [
            "--headless=new", "--remote-debugging-pipe", f"--user-data-dir={self.profile}",
            "--no-first-run", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--force-color-profile=srgb", "--no-proxy-server",
        ]
        if os.getuid() == 0:
            flags.append("--no-sandbox")
        self.process = subprocess.Popen(
            [sys.executable, "-c", LAUNCHER, str(reading), str(writing), executable(), *flags],
            pass_fds=(reading, writing), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(reading)
        os.close(writing)
        self.changed = threading.Condition()
        self.results = {}
        self.pages = {}
        self.identifier = 0
        self.is_over = False
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        """Takes what the browser says until it ends; messages end with a zero byte."""
        rest = b""
        while data := os.read(self.answers, 1 << 20):
            *messages, rest = (rest + data).split(b"\0")
            for message in map(json.loads, messages):
                with self.changed:
                    if "id" in message:
                        self.results[message["id"]] = message
                    elif page := self.pages.get(message.get("sessionId")):
                        page.events.append(message)
                    self.changed.notify_all()
        with self.changed:
            self.is_over = True
            self.changed.notify_all()

    def send(self, method, session=None, **parameters):
        """One command and its result."""
        with self.changed:
            self.identifier += 1
            identifier = self.identifier
        message = {"id": identifier, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.commands, data):]
        with self.changed:
            arrived = self.changed.wait_for(
                lambda: identifier in self.results or self.is_over, WAIT_SECONDS)
            if not arrived or identifier not in self.results:
                raise BrowserError(f"Chromium did not answer {method}.")
            result = self.results.pop(identifier)
        if "error" in result:
            raise BrowserError(f"{method}: {result['error']['message']}")
        return result["result"]

    def close(self):
        """Ends the process and removes its profile."""
        try:
            self.send("Browser.close")
            self.process.wait(WAIT_SECONDS)
        except (BrowserError, OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)


class Page:
    """A tab with storage of its own."""

    def __init__(self, browser):
        self.browser = browser
        self.events = []
        self.context = browser.send("Target.createBrowserContext")["browserContextId"]
        target = browser.send(
            "Target.createTarget", url="about:blank", browserContextId=self.context)["targetId"]
        self.session = browser.send(
            "Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        browser.pages[self.session] = self
        for domain in ("Page", "Runtime", "Log"):
            self.send(f"{domain}.enable")
        self.send("Emulation.setFocusEmulationEnabled", enabled=True)
        self.send("Page.addScriptToEvaluateOnNewDocument", source="""
          window.violations = [];
          document.addEventListener("securitypolicyviolation", (event) =>
            violations.push(`${event.violatedDirective} ${event.blockedURI}`));
          window.alert = () => violations.push("alert");""")

    def emulate(self, width=1400, height=900, dark=False, phone=False, still=False):
        """What the page is to be looked at with, from now on."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=2 if phone else 1, mobile=phone)
        self.send("Emulation.setTouchEmulationEnabled", enabled=phone)
        self.send("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce" if still else "no-preference"}])

    def send(self, method, **parameters):
        """A command to this page."""
        return self.browser.send(method, self.session, **parameters)

    def open(self, address):
        """Loads a page and waits until its script has run."""
        self.events.clear()
        self.send("Page.navigate", url=address)
        self.until(f"location.href === {json.dumps(address)} && document.readyState === 'complete'")

    def reload(self):
        """Loads the page anew."""
        self.evaluate("window.isOld = true")
        self.send("Page.reload")
        self.until("!window.isOld && document.readyState === 'complete'")

    def evaluate(self, expression):
        """The value of an expression, promises awaited."""
        answer = self.send("Runtime.evaluate", expression=expression, awaitPromise=True,
                           returnByValue=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise BrowserError(details.get("exception", {}).get("description", str(details)))
        return answer["result"].get("value")

    def until(self, expression):
        """Waits until an expression is true."""
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end:
            try:
                if self.evaluate(f"!!({expression})"):
                    return
            except BrowserError as error:
                # While a page is replaced there is nothing to evaluate in.
                if "context" not in str(error) and "navigated" not in str(error):
                    raise
            time.sleep(0.01)
        raise BrowserError(f"It did not become true within {WAIT_SECONDS} s: {expression}")

    def type(self, text):
        """Types into what has the focus."""
        self.send("Input.insertText", text=text)

    def press(self, key, shift=False):
        """Presses a key and lets it go."""
        text = {"Enter": "\r", "Space": " "}.get(key)
        named = {"key": " " if key == "Space" else key, "code": key,
                 "windowsVirtualKeyCode": KEYS[key], "modifiers": 8 if shift else 0}
        self.send("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **named,
                  **({"text": text} if text else {}))
        self.send("Input.dispatchKeyEvent", type="keyUp", **named)

    def point(self, x, y, click=False):
        """Moves the mouse, in CSS pixels, and clicks."""
        self.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        if click:
            for kind in ("mousePressed", "mouseReleased"):
                self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left",
                          clickCount=1)

    def screenshot(self, path):
        """Writes what is seen as a PNG."""
        data = self.send("Page.captureScreenshot", format="png")["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def complaints(self):
        """Exceptions, warnings of the security policy, errors of the console."""
        found = list(self.evaluate("window.violations"))
        for event in list(self.events):
            parameters = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                found.append(str(parameters["exceptionDetails"]))
            if event["method"] == "Runtime.consoleAPICalled" and parameters["type"] == "error":
                found.append(str(parameters["args"]))
            # That a request failed is said there too; the tests make requests fail.
            if event["method"] == "Log.entryAdded":
                entry = parameters["entry"]
                if entry["source"] != "network" and entry["level"] in ("error", "warning"):
                    found.append(entry["text"])
        return found
