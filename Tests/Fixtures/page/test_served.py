"""The page as the real server gives it, with a real model: test_served.py ADDRESS.

A message is sent by the keyboard, tokens stream in, the answer is stopped, and the page is loaded again.
Needs a Chromium (Debian: chromium) and says so without one.
"""

import sys
import unittest

import browser
from browser import Browser, Page

ADDRESS = sys.argv.pop() if __name__ == "__main__" and len(sys.argv) > 1 else ""


class Served(unittest.TestCase):
    """One browser, one page."""

    def setUp(self):
        if browser.executable() is None or not ADDRESS:
            self.skipTest("The served page is not tested: it needs a Chromium (Debian: apt-get "
                          "install chromium) and a server's address.")
        running = Browser()
        self.addCleanup(running.close)
        self.page = Page(running)
        self.page.emulate()
        self.page.open(ADDRESS + "/")
        self.page.until("ui.state.textContent === 'ready'")

    def say(self, text):
        self.page.evaluate("document.getElementById('draft').focus()")
        self.page.type(text)
        self.page.press("Enter")

    def test_a_conversation(self):
        self.say("Tell me a story of a dog.")
        length = "(document.querySelector('.answer > .text')?.textContent.length ?? 0)"
        self.page.until(f"{length} > 0")
        first = self.page.evaluate(length)
        self.page.until(f"!running || {length} > {first}")
        self.page.evaluate("""[...document.querySelectorAll("button")].filter((button) =>
            button.textContent === "Stop" && button.checkVisibility()).at(-1)?.click()""")
        self.page.until("!running && messages.at(-1)?.role === 'assistant'")
        self.assertGreater(self.page.evaluate("messages.at(-1).content.length"), 0)
        self.assertEqual(self.page.complaints(), [])
        self.page.reload()
        self.page.until("ui.state.textContent === 'ready'")
        self.assertEqual(self.page.complaints(), [])


if __name__ == "__main__":
    unittest.main()
