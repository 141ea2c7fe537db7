"""Tests of the server's page in headless Chromium, against a server that answers by script.

Run `python3 -m unittest -v test_page` in this folder, or `python3 test_page.py PAGE` for a page
elsewhere. Needs nothing but Python 3.10 and a Chromium (Debian: chromium); skips without one.
"""

import json
import os
import random
import re
import sys
import tempfile
import time
import unittest

import browser
from browser import Browser, Page
from fake_server import TRUSTED_TYPES, FakeServer, Gate, Status, answer, bit_map, chunk
from markdown_cases import CODE, ELEMENTS, HOSTILE, LONG, MARKDOWN

FOLDER = os.path.dirname(os.path.abspath(__file__))
PAGE = os.environ.get("MOE_PAGE", os.path.join(FOLDER, "page.html"))
BYTE_COUNT_MAX = 60_000
SEED = int(os.environ.get("MOE_FUZZ_SEED", "1"))

NODES = """(() => {
  const plain = (node) => {
    if (node.nodeType === Node.TEXT_NODE) return node;
    const copy = document.createElement(node.tagName);
    for (const name of ["href", "start"]) {
      if (node.hasAttribute(name)) copy.setAttribute(name, node.getAttribute(name));
    }
    if (/^T[HD]$/.test(node.tagName)) copy.className = node.className;
    copy.append(...[...node.childNodes].map((child) => plain(child.cloneNode(true))));
    return copy;
  };
  const view = new MarkdownView();
  view.show(%s);
  return plain(view.root).innerHTML;
})()"""


def setUpModule():
    """One browser for all tests."""
    if browser.executable() is not None:
        PageTest.browser = Browser()
        unittest.addModuleCleanup(PageTest.browser.close)
        PageTest.page = Page(PageTest.browser)


class PageTest(unittest.TestCase):
    """A server of its own for each test, and so storage; at the end there may be no complaint."""

    browser = page = None
    options = {}
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        if cls.browser is None:
            raise unittest.SkipTest("The page is not tested: there is no Chromium here "
                                    "(Debian: apt-get install chromium).")

    def setUp(self):
        self.server = FakeServer(PAGE)
        self.page.emulate(**self.options)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.addCleanup(self.page.open, "about:blank")

    def open(self, is_ready=True):
        """Loads the page, and waits until it is ready."""
        self.page.open(self.server.address)
        if is_ready:
            self.until("ui.state.textContent === 'ready'")

    def tearDown(self):
        if self.page.evaluate("location.href") != "about:blank":
            self.assertEqual(self.page.complaints(), [])

    def until(self, expression):
        """Waits for the page."""
        self.page.until(expression)

    def value(self, expression):
        """Asks the page."""
        return self.page.evaluate(expression)

    def say(self, text, script):
        """Types a message and sends it by the keyboard."""
        self.server.answers.put(script)
        self.value("document.getElementById('draft').focus()")
        self.page.type(text)
        self.page.press("Enter")

    def ended(self):
        """Waits until an answer is there as a whole."""
        self.until("!running && messages.at(-1)?.role === 'assistant'")

    def click(self, name):
        """Presses the last button of that name that is seen."""
        self.until(f"""(() => {{
          const found = [...document.querySelectorAll("button")].filter((button) =>
            button.textContent === {json.dumps(name)} && button.checkVisibility());
          found.at(-1)?.click();
          return found.length > 0;
        }})()""")

    def text(self, selector):
        """What an element says."""
        return self.value(f"document.querySelector({json.dumps(selector)})?.textContent")

    def asked(self, path):
        """How often the server was asked for a path."""
        return [asked for asked, _, _ in list(self.server.requests)].count(path)

    def wait_for(self, condition):
        """Waits for something outside the page."""
        end = time.monotonic() + browser.WAIT_SECONDS
        while not condition():
            self.assertLess(time.monotonic(), end, "it did not become true")
            time.sleep(0.01)

    def last_text(self):
        """What the last answer says, without its thinking."""
        return self.value("[...document.querySelectorAll('.answer > .text')].at(-1).textContent")


class TheFile(unittest.TestCase):
    """What can be told without a browser."""

    def setUp(self):
        with open(PAGE, encoding="utf-8") as file:
            self.source = file.read()

    def test_is_small(self):
        self.assertLess(len(self.source.encode()), BYTE_COUNT_MAX)

    def test_never_reads_text_as_html_or_code(self):
        words = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "DOMParser",
                 "srcdoc", "eval(", "new Function", "setHTML", "createContextualFragment")
        self.assertEqual([word for word in words if word in self.source], [])

    def test_has_no_inline_handler_or_style_and_no_foreign_address(self):
        markup = re.sub(r"(?s)<(script|style)\b.*?</\1>", "", self.source)
        self.assertEqual(re.findall(r"\s(?:on\w+|style)=", markup), [])
        addresses = set(re.findall(r"https?://[\w.-]+", self.source))
        self.assertLessEqual(addresses, {"http://www.w3.org"})

    def test_has_the_nonce_where_the_server_puts_it(self):
        self.assertEqual(self.source.count("{{NONCE}}"), 2)
        for name in ("script", "style"):
            self.assertEqual(self.source.count(f'<{name} nonce="{{{{NONCE}}}}">'), 1)
            self.assertEqual(self.source.count(f"<{name}"), 1)

    def test_fits_the_house_rules(self):
        lines = self.source.split("\n")
        self.assertEqual([n for n, line in enumerate(lines, 1) if len(line) > 100], [])
        self.assertEqual([n for n, line in enumerate(lines, 1) if line != line.rstrip()], [])


class Chat(PageTest):
    """A conversation."""

    def test_answer_grows_while_it_is_written(self):
        gates = [Gate(), Gate()]
        self.open()
        self.say("Hi there", answer("One ", gates[0], "two ", gates[1], "three.", tokens=3))
        self.until("document.querySelector('.answer .text p')?.textContent === 'One '.trim()")
        nodes = self.value("document.querySelectorAll('.answer *').length")
        self.assertEqual(self.text(".said"), "Hi there")
        self.assertTrue(self.value("document.querySelector('.answer').ariaBusy === 'true'"))
        gates[0].release()
        self.until("document.querySelector('.answer .text p').textContent === 'One two'")
        gates[1].release()
        self.ended()
        self.assertEqual(self.last_text(), "One two three.")
        self.assertGreater(self.value("document.querySelectorAll('.answer *').length"), nodes)
        self.assertFalse(self.value("document.querySelector('.answer').ariaBusy === 'true'"))
        figures = self.text(".figures")
        self.assertIn("3 tokens", figures)
        self.assertIn("prompt 20, 12 cached", figures)
        self.assertIn("Answer: One two three.", self.text("#announcer"))

    def test_dom_grows_between_chunks(self):
        gate = Gate()
        self.open()
        self.say("list", answer("- a\n- b\n", gate, "- c\n\nend"))
        self.until("document.querySelectorAll('.answer li').length === 2")
        gate.release()
        self.until("document.querySelectorAll('.answer li').length === 3")
        self.ended()

    def test_request_is_what_the_server_expects(self):
        self.open()
        self.say("one", answer("two"))
        self.ended()
        self.say("three", answer("four"))
        self.ended()
        body = self.server.chats()[1]
        self.assertEqual(body, {
            "model": "nano-moe", "stream": True, "stream_options": {"include_usage": True},
            "return_progress": True, "messages": [
                {"role": "user", "content": "one"}, {"role": "assistant", "content": "two"},
                {"role": "user", "content": "three"}]})

    def test_speed_is_counted_from_first_to_last_token(self):
        gate = Gate()
        self.open()
        self.say("x", answer("a", gate, "b", tokens=3))
        self.until("messages.at(-1)?.content === 'a'")
        time.sleep(0.25)
        gate.release()
        self.ended()
        speed = float(re.search(r"([\d.]+) tokens/s", self.text(".figures"))[1])
        # Two tokens after the first, in a quarter of a second or more.
        self.assertLess(speed, 8.1)
        self.assertGreater(speed, 0)

    def test_prompt_progress_is_shown(self):
        gates = [Gate(), Gate()]
        progress = [{"choices": [], "prompt_progress": {
            "total": 4096, "cache": 512, "processed": count}} for count in (1024, 4096)]
        self.open()
        self.say("x", [progress[0], gates[0], progress[1], gates[1], *answer("y")])
        self.until("document.querySelector('.answer progress')?.value === 1024")
        self.assertIn("1,024 of 4,096 tokens, 512 of them cached",
                      self.value("document.querySelector('.answer').innerText"))
        gates[0].release()
        self.until("document.querySelector('.answer progress')?.value === 4096")
        gates[1].release()
        self.ended()
        self.until("!document.querySelector('progress').checkVisibility()")

    def test_thinking_is_open_while_written_and_folded_after(self):
        gates = [Gate(), Gate()]
        thought = {"reasoning_content": "Let me **think**.", "reasoning": "Let me **think**."}
        self.open()
        self.say("x", answer(chunk(**thought), gates[0], "Done.", gates[1]))
        self.until("document.querySelector('details.thinking')?.open")
        self.until("document.querySelector('.thinking .text').textContent === 'Let me think.'")
        self.assertEqual(self.text(".thinking summary"), "Thinking…")
        gates[0].release()
        self.until("!document.querySelector('details.thinking').open")
        self.assertTrue(self.text(".thinking summary").startswith("Thought"))
        gates[1].release()
        self.ended()
        self.assertEqual(self.last_text(), "Done.")
        self.assertNotIn("think", json.dumps(self.value("sentMessages()")))

    def test_thinking_that_a_person_opened_stays_open(self):
        gates = [Gate(), Gate()]
        self.open()
        self.say("x", answer(chunk(reasoning="a"), gates[0], "b", gates[1], "c"))
        self.until("document.querySelector('details.thinking')?.open")
        gates[0].release()
        self.until("!document.querySelector('details.thinking').open")
        self.value("document.querySelector('.thinking summary').click()")
        gates[1].release()
        self.ended()
        self.assertTrue(self.value("document.querySelector('details.thinking').open"))

    def test_escape_stops(self):
        self.open()
        self.say("x", answer("one ", Gate(), "two"))
        self.until("document.querySelector('.answer .text p')")
        self.page.press("Escape")
        self.assertTrue(self.server.client_left.wait(5), "the server still has its client")
        self.ended()
        self.assertIn("stopped", self.text(".figures"))
        self.assertEqual(self.last_text(), "one")
        self.assertEqual(self.value("document.activeElement.id"), "draft")

    def test_stop_button_stops_while_the_prompt_is_read(self):
        self.open()
        self.say("x", [Gate()])
        self.until("ui.stop.checkVisibility()")
        self.assertFalse(self.value("ui.send.checkVisibility()"))
        self.click("Stop")
        self.assertTrue(self.server.client_left.wait(5), "the server still has its client")
        self.ended()
        self.assertTrue(self.value("ui.send.checkVisibility()"))

    def test_retry_drops_the_last_answer(self):
        self.open()
        self.say("one", answer("first"))
        self.ended()
        self.server.answers.put(answer("second"))
        self.click("Retry")
        self.until("messages.at(-1)?.content === 'second' && !running")
        self.assertEqual(self.last_text(), "second")
        self.assertEqual(self.value("document.querySelectorAll('.answer').length"), 1)
        self.assertEqual(self.server.chats()[1]["messages"], [{"role": "user", "content": "one"}])

    def test_own_message_can_be_edited(self):
        self.open()
        self.say("one", answer("first"))
        self.ended()
        self.say("two", answer("second"))
        self.ended()
        self.value("document.querySelectorAll('.own button')[1].click()")
        self.until("document.activeElement.ariaLabel === 'Your message'")
        self.page.press("Escape")
        self.until("!document.querySelector('.own form')")
        self.value("document.querySelectorAll('.own button')[1].click()")
        self.page.type("only ")
        self.value("document.activeElement.setSelectionRange(0, 99)")
        self.page.type("other")
        self.server.answers.put(answer("third"))
        self.page.press("Enter")
        self.until("messages.at(-1)?.content === 'third' && !running")
        self.assertEqual(self.server.chats()[2]["messages"], [{"role": "user", "content": "other"}])
        self.assertEqual(self.value("document.querySelectorAll('article').length"), 2)

    def test_tool_calls_are_blocks(self):
        def part(**call):
            return chunk(tool_calls=[{"index": 0, **call}])
        self.open()
        self.say("x", answer(
            "I look.",
            part(id="call_1", type="function", function={"name": "weather", "arguments": ""}),
            part(function={"arguments": '{"city":'}), part(function={"arguments": '"<b>Rome"}'}),
            finish="tool_calls"))
        self.ended()
        self.assertEqual(self.text(".call summary"), "Call of weather")
        self.assertEqual(self.text(".call pre"), '{\n  "city": "<b>Rome"\n}')
        self.say("y", answer("z"))
        self.ended()
        self.assertEqual(self.server.chats()[1]["messages"][1]["tool_calls"], [
            {"id": "call_1", "type": "function",
             "function": {"name": "weather", "arguments": '{"city":"<b>Rome"}'}}])

    def test_follows_the_end_unless_one_scrolls_up(self):
        gate = Gate()
        self.open()
        self.say("x", answer("a\n\n" * 200, gate, "b\n\n" * 200))
        self.until("document.querySelectorAll('.answer p').length === 200")
        self.until("ui.messages.scrollTop + ui.messages.clientHeight"
                   " >= ui.messages.scrollHeight - 2")
        self.value("ui.messages.scrollTop = 50")
        self.until("!follows")
        gate.release()
        self.ended()
        self.assertEqual(self.value("ui.messages.scrollTop"), 50)
        self.value("ui.messages.scrollTop = ui.messages.scrollHeight")
        self.until("follows")

    def test_code_is_copied(self):
        self.browser.send("Browser.grantPermissions", browserContextId=self.page.context,
                          permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
        self.open()
        self.say("x", answer("```c\nint a = 1 < 2;\n```"))
        self.ended()
        self.value("document.querySelector('.code button').click()")
        self.until("document.querySelector('.code button').textContent === 'Copied'")
        self.assertEqual(self.value("navigator.clipboard.readText()"), "int a = 1 < 2;")


class Keeping(PageTest):
    """What is kept, and what leaves."""

    def test_reload_keeps_the_conversation(self):
        self.open()
        self.say("one", answer(chunk(reasoning_content="hm"), "**two**"))
        self.ended()
        before = self.value("ui.messages.innerText")
        self.page.reload()
        self.until("isReady")
        self.assertEqual(self.value("ui.messages.innerText"), before)
        self.assertTrue(self.value("!!document.querySelector('.answer strong')"))
        self.assertFalse(self.value("document.querySelector('.thinking').open"))
        self.say("three", answer("four"))
        self.ended()
        self.assertEqual(len(self.server.chats()[1]["messages"]), 3)

    def test_reload_in_the_middle_keeps_what_there_is(self):
        self.open()
        self.say("one", answer("half", Gate()))
        self.until("document.querySelector('.answer .text p')")
        self.page.reload()
        self.until("isReady")
        self.assertEqual(self.last_text(), "half")
        self.assertTrue(self.server.client_left.wait(5))
        self.assertEqual(self.value("running"), None)

    def test_broken_storage_is_no_harm(self):
        self.open()
        for kept in ("{", "7", "null", "[null]", '{"a":7}',
                     '[{"role":"assistant","content":null}]'):
            for name in ("conversation", "settings"):
                # On the way out the page would keep its own.
                self.value(f"""removeEventListener("pagehide", keepConversation);
                  localStorage.setItem("moe-run.{name}", {json.dumps(kept)})""")
            self.page.reload()
            self.until("isReady")
        self.say("x", answer("y"))
        self.ended()
        self.assertEqual(self.last_text(), "y")

    def test_new_conversation_can_be_taken_back(self):
        self.open()
        self.say("one", answer("two"))
        self.ended()
        self.click("New")
        self.assertEqual(self.value("document.querySelectorAll('article').length"), 0)
        self.click("Back to the last conversation")
        self.assertEqual(self.last_text(), "two")
        self.click("New")
        self.say("three", answer("four"))
        self.ended()
        self.assertEqual(self.server.chats()[1]["messages"], [{"role": "user", "content": "three"}])

    def test_export_is_json(self):
        with tempfile.TemporaryDirectory() as folder:
            self.browser.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=folder,
                              browserContextId=self.page.context)
            self.open()
            self.say("one", answer(chunk(reasoning_content="hm"), "two"))
            self.ended()
            self.click("Export")
            self.wait_for(lambda: any(name.endswith(".json") for name in os.listdir(folder)))
            [name] = os.listdir(folder)
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                exported = json.load(file)
        self.assertEqual(exported["model"], "nano-moe")
        self.assertEqual([(m["role"], m["content"]) for m in exported["messages"]],
                         [("user", "one"), ("assistant", "two")])
        self.assertEqual(exported["messages"][1]["reasoning_content"], "hm")

    def test_settings_are_sent_and_kept(self):
        self.open()
        self.click("Settings")
        self.until("ui.settings.open && document.activeElement === ui.systemPrompt")
        self.page.type("Be brief.")
        for name, value in (("temperature", "0"), ("top_k", "40"), ("top_p", "0.9"),
                            ("min_p", "0.05"), ("max_tokens", "100"), ("seed", "7")):
            self.value(f"ui.{name}.focus()")
            self.page.type(value)
        self.value("ui.moreFields.focus()")
        self.page.type('{"stop": ["END"], "stream": false}')
        self.click("Done")
        self.until("!ui.settings.open")
        self.page.reload()
        self.until("isReady")
        self.say("x", answer("y"))
        self.ended()
        body = self.server.chats()[0]
        self.assertEqual(body["messages"][0], {"role": "system", "content": "Be brief."})
        self.assertEqual(
            {name: body.get(name) for name in
             ("temperature", "top_k", "top_p", "min_p", "max_tokens", "seed", "stop", "stream")},
            {"temperature": 0, "top_k": 40, "top_p": 0.9, "min_p": 0.05, "max_tokens": 100,
             "seed": 7, "stop": ["END"], "stream": True})
        self.click("Settings")
        self.click("Reset")
        self.click("Done")
        self.say("x", answer("y"))
        self.until("messages.length === 4 && !running")
        self.assertNotIn("temperature", self.server.chats()[1])

    def test_wrong_settings_are_refused(self):
        self.open()
        self.click("Settings")
        for name, value, problem in (("top_p", "1.5", "Top-p"), ("seed", "1.5", "Seed"),
                                     ("moreFields", "[1]", "More fields")):
            self.value(f"ui.{name}.focus()")
            self.page.type(value)
            self.click("Done")
            self.until(f"ui.settingsFailure.textContent.includes({json.dumps(problem)})")
            self.assertTrue(self.value("ui.settings.open"))
            self.value(f"ui.{name}.value = ''")
        self.click("Done")
        self.until("!ui.settings.open")
        self.assertEqual(self.value("settings.sampling"), {})


class Failures(PageTest):
    """What goes wrong is said."""

    def failure(self):
        """The sentence that the last answer has instead of a text."""
        self.ended()
        return self.value("[...document.querySelectorAll('.answer > .failure')].at(-1).textContent")

    def test_error_event_is_shown(self):
        self.open()
        self.say("x", answer("half", {"error": {"message": "The disk <b>failed</b>."}}))
        self.assertEqual(self.failure(), "The disk <b>failed</b>.")
        self.assertEqual(self.last_text(), "half")
        self.server.answers.put(answer("whole"))
        self.click("Retry")
        self.until("!running && messages.at(-1).content === 'whole'")
        self.until("!document.querySelector('.answer > .failure').checkVisibility()")

    def test_status_is_shown(self):
        self.open()
        self.say("x", Status(400, "The prompt has 9000 tokens; the context holds 4096."))
        self.assertEqual(self.failure(), "The prompt has 9000 tokens; the context holds 4096.")
        self.say("y", Status(429, "The queue is full.", Retry_After="3"))
        self.until("messages.length === 4")
        self.assertEqual(self.failure(), "The queue is full. Try again in 3 s.")
        self.say("z", answer("fine"))
        self.until("messages.length === 6 && !running")
        # Questions that had no answer are sent as one.
        self.assertEqual(self.server.chats()[2]["messages"],
                         [{"role": "user", "content": "x\n\ny\n\nz"}])

    def test_answer_that_breaks_off_is_shown(self):
        self.open()
        self.say("x", answer("half")[:2])
        self.assertEqual(self.failure(), "The connection ended before the answer did.")
        self.say("x", [*answer("half")[:2], b"data: {broken\n\n"])
        self.until("messages.length === 4")
        self.assertIn("JSON", self.failure())

    def test_server_that_is_gone_is_waited_for(self):
        self.open()
        self.server.health = [503]
        gate = Gate()
        self.say("x", [*answer("half")[:2], gate, "cut"])
        self.until("messages.at(-1)?.content === 'half'")
        gate.release()
        self.assertEqual(self.failure(), "The server can't be reached.")
        self.until("isReady")
        self.assertEqual(self.last_text(), "half")

    def test_lost_connection_is_noticed_between_answers(self):
        self.server.live.append({"running": 1})
        self.open()
        self.until("ui.tiles.childElementCount === 1")
        self.server.health = [503]
        # The stream of figures breaks off.
        self.server.live.append("cut")
        self.until("!isReady && ui.notice.checkVisibility()")
        self.server.live = [{"running": 1, "waiting": 2}]
        self.until("isReady && ui.tiles.childElementCount === 2")

    def test_loading_is_shown_and_waited_for(self):
        self.server.health = [503, 503]
        self.open(is_ready=False)
        self.until("ui.notice.textContent.includes('3 of 16 layers')")
        self.assertEqual(self.text("#state"), "loading")
        self.value("ui.draft.focus()")
        self.page.type("x")
        self.page.press("Enter")
        self.assertEqual(self.value("messages.length"), 0)
        self.assertEqual(self.value("ui.draft.value"), "x")
        self.until("isReady")
        self.assertFalse(self.value("ui.notice.checkVisibility()"))
        self.until("ui.modelName.textContent === 'nano-moe'")
        self.server.answers.put(answer("y"))
        self.page.press("Enter")
        self.ended()

    def test_key_is_asked_for(self):
        self.server.key = "open sesame"
        self.open(is_ready=False)
        self.until("ui.keyDialog.open && document.activeElement === ui.key")
        self.page.type("wrong")
        self.page.press("Enter")
        self.until("ui.keyDialog.open && !ui.keyFailure.hidden && ui.key.value === ''")
        self.page.type("open sesame")
        self.page.press("Enter")
        self.until("ui.modelName.textContent === 'nano-moe'")
        self.say("x", answer("y"))
        self.ended()
        self.assertEqual(self.last_text(), "y")
        self.assertEqual(self.value("JSON.stringify(localStorage)").count("sesame"), 0)
        self.assertIn("sesame", self.value("JSON.stringify(sessionStorage)"))
        sent = [headers.get("Authorization") for path, headers, _ in self.server.requests
                if path == "/v1/chat/completions"]
        self.assertEqual(sent, ["Bearer open sesame"])
        self.page.reload()
        self.until("ui.modelName.textContent === 'nano-moe'")
        self.assertFalse(self.value("ui.keyDialog.open"))

    def test_key_can_be_refused_by_the_person(self):
        self.server.key = "k"
        self.open(is_ready=False)
        self.until("ui.keyDialog.open")
        self.page.press("Escape")
        self.until("!ui.keyDialog.open && ui.notice.textContent === 'The server wants a key.'")
        # What the page asks by itself doesn't ask the person again.
        asked = self.asked("/v1/experts/live")
        self.value("live.stopper.abort(); live.stopper = null; live.update()")
        self.wait_for(lambda: self.asked("/v1/experts/live") > asked)
        self.until("ui.liveNote.textContent.includes('The server wants a key.')")
        self.assertFalse(self.value("ui.keyDialog.open"))
        self.value("ui.draft.focus()")
        self.page.type("x")
        self.page.press("Enter")
        self.until("ui.keyDialog.open")
        self.server.answers.put(answer("y"))
        self.page.type("k")
        self.page.press("Enter")
        self.until("messages.at(-1)?.content === 'y' && !running")
        self.until("ui.modelName.textContent === 'nano-moe' && ui.notice.textContent === ''")


class Hostile(PageTest):
    """Nothing that comes from outside becomes anything but text."""

    def setUp(self):
        super().setUp()
        self.server.policy_tail = TRUSTED_TYPES

    def check_elements(self, root):
        """That there are no elements but the page's own, no attribute that acts, no odd address."""
        found = self.value(f"""(() => {{
          const nodes = [...document.querySelectorAll("{root} *")];
          return {{ names: [...new Set(nodes.map((node) => node.tagName))],
            attributes: [...new Set(nodes.flatMap((node) => node.getAttributeNames()))],
            links: nodes.filter((node) => node.href).map((node) => [node.protocol, node.rel]) }};
        }})()""")
        self.assertLessEqual(set(found["names"]), ELEMENTS | {"H1", "DL", "DT", "DD", "SECTION"})
        self.assertEqual([name for name in found["attributes"] if name.startswith("on")], [])
        for protocol, relation in found["links"]:
            self.assertEqual((protocol, relation), ("https:", "noopener noreferrer"))

    def test_answer_is_only_text(self):
        cuts = [HOSTILE[index:index + 7] for index in range(0, len(HOSTILE), 7)]
        self.open()
        self.say(HOSTILE.replace("\n", " "), answer(
            chunk(reasoning_content=HOSTILE), *cuts,
            chunk(tool_calls=[{"index": 0, "id": HOSTILE, "function": {
                "name": HOSTILE, "arguments": HOSTILE}}])))
        self.ended()
        self.check_elements("#messages")
        text = self.value("document.querySelector('.answer').textContent")
        for number in range(1, 27):
            if number not in (5, 6, 8):
                self.assertIn(f"alert({number})", text)
        for source in ("[a](javascript:alert(5))", "[e](//example.org)", "[f](/local)"):
            self.assertIn(source, text)
        self.page.reload()
        self.until("isReady")
        self.check_elements("#messages")
        time.sleep(0.1)

    def test_error_is_only_text(self):
        self.open()
        self.say("x", Status(500, HOSTILE))
        self.ended()
        self.check_elements("#messages")
        self.assertIn("<script>alert(2)</script>",
                      self.value("document.querySelector('.answer > .failure').textContent"))

    def test_server_is_only_text(self):
        self.server.models["data"][0]["id"] = HOSTILE
        self.server.plan = {HOSTILE: HOSTILE, "a": {HOSTILE: [{HOSTILE: HOSTILE, "byteCount": 7}]},
                            "memory": {"rows": [{"name": HOSTILE, "byte_count": HOSTILE}],
                                       "budget_byte_count": "9"}, "deep": [[[[[[HOSTILE]]]]]]}
        self.server.live.append({"layers": [{"number": HOSTILE, "experts": 8, "resident": HOSTILE}],
                              "hit_rate": HOSTILE, "running": None, "budget_byte_count": "x",
                              "peak_byte_count": HOSTILE})
        self.server.live.append({"layers": "x"})
        self.server.live.append({"layers": [None, 7, {"experts": -1}, {"experts": 1e99},
                                         {"experts": 2.5}, {"experts": "8"}]})
        self.open()
        self.until("ui.modelName.textContent.includes('<script>')")
        self.until("ui.plan.textContent.includes('alert(13)')")
        time.sleep(0.2)
        self.check_elements("header")
        self.check_elements("#plan")
        self.check_elements("#tiles")

    def test_broken_chunks_are_no_harm(self):
        odd = [{}, {"choices": None}, {"choices": []}, {"choices": [{}]},
               {"choices": [{"delta": None, "index": 0}]}, {"choices": [{"index": 1, "delta": {
                   "content": "other choice"}}]}, {"usage": {}}, {"prompt_progress": {}},
               chunk(tool_calls=[{"index": -5}]), chunk(tool_calls=[{"index": 1e9}]),
               chunk(tool_calls=[{"index": "x"}]), b": comment\n\n", b"event: x\nid: 7\n\n"]
        self.open()
        self.say("x", answer(*odd[:-2], "fine", *odd[-2:]))
        self.ended()
        self.assertEqual(self.last_text(), "fine")
        self.assertEqual(self.value("messages.at(-1).error ?? ''"), "")


class Markdown(PageTest):
    """Markdown to nodes."""

    def setUp(self):
        super().setUp()
        self.open()

    def test_is_rendered(self):
        for name, source, expected in MARKDOWN:
            with self.subTest(name):
                nodes = self.value(NODES % json.dumps(source))
                self.assertEqual(nodes, expected)

    def test_code_blocks(self):
        for name, source, expected in CODE:
            with self.subTest(name):
                found = self.value(f"""(() => {{
                  const view = new MarkdownView();
                  view.show({json.dumps(source)});
                  return [...view.root.querySelectorAll(".code")].map((block) =>
                    ["span", "pre"].map((name) => block.querySelector(name).textContent));
                }})()""")
                self.assertEqual(found, expected)

    def test_text_that_grows_ends_as_the_whole(self):
        """What is shown of a text in pieces is what is shown of it at once, wherever it is cut."""
        generator = random.Random(SEED)
        sources = [source for _, source, _ in MARKDOWN] + [source for _, source, _ in CODE]
        parts = sources + ["\n", "\n\n", "- ", "1. ", "> ", "```", "|", "|-|-|", "a | b", "---",
                           "  ", "    ", "*", "**", "_", "`", "# ", "x", "\r\n", "\t", "é",
                           "🙂", "~~"]
        texts = ["".join(generator.choice(parts) + generator.choice(["", " ", "\n", "\n\n"])
                         for _ in range(generator.randint(1, 12))) for _ in range(300)]
        wrong = self.value(f"""{json.dumps(texts)}.filter((text) => {{
          const whole = new MarkdownView();
          whole.show(text);
          const growing = new MarkdownView();
          for (let end = 0; end <= text.length; end += 1) growing.show(text.slice(0, end));
          return whole.root.outerHTML !== growing.root.outerHTML;
        }})""")
        self.assertEqual(wrong, [], f"seed {SEED}")

    def test_no_character_is_lost(self):
        """Letters come out as they went in, whatever marks stand around them."""
        generator = random.Random(SEED)
        letters = "abcdefghij"
        marks = "*_~`[]()<>|#-+.!\\ \n:/"
        texts = ["".join(generator.choice(marks if generator.random() < 0.6 else letters)
                         for _ in range(generator.randint(1, 80))) for _ in range(2000)]
        wrong = self.value(f"""{json.dumps(texts)}.filter((text) => {{
          const view = new MarkdownView();
          view.show(text);
          const only = (other) => other.replace(/[^a-j]/g, "");
          // A code block's line of its own has a language that may be cut; it isn't made here.
          if (/```|~~~/.test(text)) return false;
          return only(view.root.textContent) !== only(text);
        }})""")
        self.assertEqual(wrong, [], f"seed {SEED}")

    def test_no_text_takes_forever_or_nests_without_end(self):
        for name, text in LONG.items():
            with self.subTest(name):
                depth = self.value(f"""(() => {{
                  const view = new MarkdownView();
                  view.show({json.dumps(text)});
                  let depth = 0;
                  for (let node = view.root; node; depth += 1) {{
                    node = [...node.children].find((child) => child.children.length > 0)
                      ?? node.children[0];
                  }}
                  return depth;
                }})()""")
                self.assertLess(depth, 60)


class Machine(PageTest):
    """The figures and the map."""

    LAYERS = [
        {"number": 3, "experts": 10, "resident": bit_map([0, 1, 2, 8, 9], 10),
         "loading": bit_map([4], 10), "used": bit_map([1, 9], 10)},
        {"number": 5, "experts": 6, "resident": bit_map([5], 6), "used": bit_map([], 6)},
    ]

    def colours(self):
        """(layer, expert): the name of the colour that is drawn there."""
        return self.value("""(() => {
          const style = getComputedStyle(document.documentElement);
          const named = {};
          const probe = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
          for (const name of ["absent", "resident", "loading", "used"]) {
            probe.fillStyle = style.getPropertyValue(`--${name}`);
            probe.fillRect(0, 0, 1, 1);
            named[probe.getImageData(0, 0, 1, 1).data.join()] = name;
          }
          const copy = new OffscreenCanvas(ui.map.width, ui.map.height);
          const context = copy.getContext("2d", { willReadFrequently: true });
          context.drawImage(ui.map, 0, 0);
          return map.layers.map((layer, row) => [...Array(layer.experts).keys()].map((expert) => {
            const x = map.left + (expert % map.perLine) * map.width + 1;
            const y = row * map.layerHeight + Math.floor(expert / map.perLine) * map.height + 1;
            return named[context.getImageData(x, y, 1, 1).data.join()];
          }));
        })()""")

    def test_map_is_drawn(self):
        self.server.live.append({"layers": self.LAYERS})
        self.open()
        self.until("ui.experts.checkVisibility() && map.layers.length === 2")
        self.assertEqual(self.colours(), [
            ["resident", "used", "resident", "absent", "loading", "absent", "absent", "absent",
             "resident", "used"],
            ["absent"] * 5 + ["resident"]])
        self.assertEqual(self.value("ui.map.ariaLabel"),
                         "Experts of 2 layers: 6 of 16 in memory, 1 being read, 2 used")
        later = [{**self.LAYERS[0], "used": bit_map([2], 10), "loading": bit_map([], 10)}]
        self.server.live.append({"layers": later})
        self.until("map.layers.length === 1")
        self.assertEqual(self.colours()[0][:5],
                         ["resident", "resident", "used", "absent", "absent"])

    def test_map_of_many_experts_fits(self):
        for width in (1400, 1000):
            self.page.send("Emulation.setDeviceMetricsOverride", width=width, height=900,
                           deviceScaleFactor=1, mobile=False)
            self.server.live.append({"layers": [
                {"number": n, "experts": 512, "resident": bit_map([511], 512)} for n in range(61)]})
            self.open()
            self.until("map.layers.length === 61")
            self.assertEqual(self.colours()[60][510:], ["absent", "resident"])
            self.assertTrue(self.value("map.left + map.perLine * map.width <= ui.map.width"))
            self.assertTrue(self.value("ui.machine.scrollWidth <= ui.machine.clientWidth"))

    def test_map_says_what_is_pointed_at(self):
        self.server.live.append({"layers": self.LAYERS})
        self.open()
        self.until("map.layers.length === 2")
        x, y = self.value("""(() => { const box = ui.map.getBoundingClientRect();
          return [box.x + map.left + map.width * 4.5, box.y + map.height / 2]; })()""")
        self.page.point(x, y)
        self.until("ui.pointed.textContent === 'Layer 3, expert 4: being read'")
        self.page.point(1, 1)
        self.until("ui.pointed.textContent.startsWith('6 of 16')")
        self.value("ui.map.focus()")
        self.page.press("ArrowRight")
        self.until("ui.pointed.textContent === 'Layer 3, expert 1: used by the latest step'")

    def test_figures_are_shown_where_they_are_said(self):
        self.server.live.append({"hit_rate": 0.834, "read_mib_per_second": 412.04,
                              "tokens_per_second": 7.2, "stall_share": 0.4, "running": 2,
                              "waiting": 0, "pool_byte_count": 3 << 30,
                              "budget_byte_count": 8 << 30, "peak_byte_count": 6 << 30})
        self.open()
        self.until("ui.tiles.childElementCount === 6")
        shown = self.value("[ui.tiles.innerText, ui.bars.innerText].join('\\n')")
        for text in ("83.4 %", "412", "MiB/s", "7.20", "tokens/s", "40.0 %", "6 GiB of 8 GiB",
                     "3 GiB of 8 GiB"):
            self.assertIn(text, shown)
        shares = self.value("[...document.querySelectorAll('#bars .track')].map((bar) => "
                            "bar.firstChild.offsetWidth / bar.offsetWidth)")
        self.assertAlmostEqual(shares[0], 0.75, delta=0.01)
        self.assertAlmostEqual(shares[1], 0.375, delta=0.01)
        self.assertFalse(self.value("ui.experts.checkVisibility()"))
        self.server.live.append({"running": 1, "peak_byte_count": 7})
        self.until("ui.tiles.childElementCount === 1 && ui.bars.childElementCount === 0")

    def test_server_without_figures_is_no_error(self):
        self.server.live = None
        self.open()
        self.until("ui.liveNote.textContent.includes('There is no such path.')")
        self.assertTrue(self.value("isReady"))

    def test_plan_is_shown_as_it_is(self):
        self.server.plan = {
            "expertCounts": [0, 64, 64, 64], "modelByteCount": 4213 << 20, "path": None,
            "memory": {"budget_byte_count": 1 << 30, "placement": "offloaded", "rows": [
                {"name": "dense weights", "byte_count": 1 << 28, "note": "attention"},
                {"name": "experts", "byte_count": 1 << 29, "note": "", "basis": "derived"}]},
            "speed": {"decode_tokens_per_second": 7.42, "bound": {"by": "disk"}}}
        self.open()
        self.until("ui.planSection.checkVisibility()")
        shown = self.value("ui.plan.innerText")
        for text in ("Expert counts\n0, 3 × 64", "Model\n4.11 GiB", "Placement\noffloaded",
                     "dense weights", "256 MiB", "512 MiB", "attention", "derived",
                     "Decode tokens per second\n7.42", "disk"):
            self.assertIn(text, shown)
        self.assertNotIn("Path", shown)
        widths = self.value("[...document.querySelectorAll('#plan .track')].map((bar) => "
                            "bar.firstChild.offsetWidth / bar.offsetWidth)")
        self.assertAlmostEqual(widths[0], 0.25, delta=0.02)
        self.assertAlmostEqual(widths[1], 0.5, delta=0.02)

    def test_figures_are_asked_for_anew(self):
        self.server.live.append({"running": 1})
        self.open()
        self.until("ui.tiles.childElementCount === 1")
        self.value("live.stopper.abort(); live.stopper = null; live.update()")
        self.server.live.append({"running": 1, "waiting": 2})
        self.until("ui.tiles.childElementCount === 2")


class Keyboard(PageTest):
    """Without a mouse, and for those who listen."""

    def test_order_of_the_tab_key(self):
        self.server.live.append({"layers": Machine.LAYERS})
        self.open()
        self.until("map.layers.length === 2")
        self.say("x", answer("```\na\n```"))
        self.ended()
        self.value("document.activeElement.blur(); ui.newConversation.focus()")
        order = []
        for _ in range(13):
            order.append(self.value("document.activeElement.id"
                                    " || document.activeElement.textContent"))
            self.page.press("Tab")
        self.assertEqual(order, [
            "newConversation", "export", "openSettings", "messages", "Copy", "Edit", "Copy", "a",
            "Copy", "Retry", "draft", "send", "map"])

    def test_focus_is_seen(self):
        self.open()
        self.page.press("Tab")
        outline = self.value("""(() => { const style = getComputedStyle(document.activeElement);
          return [document.activeElement.id, style.outlineStyle, style.outlineWidth]; })()""")
        self.assertEqual(outline, ["newConversation", "solid", "2px"])

    def test_shift_and_enter_break_the_line(self):
        self.open()
        self.value("ui.draft.focus()")
        self.page.type("a")
        self.page.press("Enter", shift=True)
        self.page.type("b")
        self.assertEqual(self.value("ui.draft.value"), "a\nb")
        self.server.answers.put(answer("c"))
        self.page.press("Enter")
        self.ended()
        self.assertEqual(self.server.chats()[0]["messages"][0]["content"], "a\nb")
        self.assertEqual(self.value("document.activeElement.id"), "draft")

    def test_second_message_waits_for_the_first_answer(self):
        gate = Gate()
        self.open()
        self.say("a", answer("b", gate))
        self.until("running")
        self.page.type("c")
        self.page.press("Enter")
        self.assertEqual(self.value("[ui.draft.value, messages.length]"), ["c", 2])
        self.assertEqual(self.text("#announcer"), "An answer is still being written.")
        gate.release()
        self.ended()

    def test_everything_has_a_role_and_a_name(self):
        self.server.live.append(
            {"layers": Machine.LAYERS, "budget_byte_count": 2, "peak_byte_count": 1})
        self.open()
        self.until("map.layers.length === 2")
        self.say("x", answer("y"))
        self.ended()
        nodes = self.page.send("Accessibility.getFullAXTree")["nodes"]
        seen = [(node["role"]["value"], node.get("name", {}).get("value", ""))
                for node in nodes if not node.get("ignored")]
        roles = {role for role, _ in seen}
        self.assertLessEqual({"main", "complementary", "banner", "log", "article", "status",
                              "meter", "application", "textbox"}, roles)
        nameless = [role for role, name in seen if not name and role in
                    ("button", "textbox", "log", "meter", "application", "main", "complementary")]
        self.assertEqual(nameless, [])

    def test_settings_close_by_the_keyboard(self):
        self.open()
        self.value("ui.openSettings.focus()")
        self.page.press("Enter")
        self.until("ui.settings.open")
        self.page.press("Escape")
        self.until("!ui.settings.open && document.activeElement.id === 'openSettings'")


CONTRAST = """(() => {
  const probe = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const style = getComputedStyle(document.documentElement);
  const light = (name) => {
    probe.fillStyle = style.getPropertyValue(`--${name}`);
    probe.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...probe.getImageData(0, 0, 1, 1).data].map((value) =>
      (value <= 10 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  return %s.map(([front, back]) => {
    const [high, low] = [light(front), light(back)].sort((a, b) => b - a);
    return [front, back, (high + 0.05) / (low + 0.05)];
  });
})()"""


class Light(PageTest):
    """Colours, in light."""

    dark = False

    def setUp(self):
        self.options = {"dark": self.dark, "still": self.dark}
        super().setUp()
        self.open()

    def test_text_can_be_read(self):
        pairs = [(front, back) for front in ("text", "quiet", "accent", "danger")
                 for back in ("page", "panel")]
        pairs += [("on-accent", "accent"), ("text", "raised"), ("quiet", "raised")]
        for front, back, ratio in self.value(CONTRAST % json.dumps(pairs)):
            self.assertGreaterEqual(ratio, 4.5, f"{front} on {back}")
        pairs = [("resident", "absent"), ("loading", "absent"), ("used", "absent"),
                 ("used", "resident"), ("loading", "panel"), ("edge", "page")]
        for front, back, ratio in self.value(CONTRAST % json.dumps(pairs)):
            self.assertGreaterEqual(ratio, 1.5, f"{front} on {back}")

    def test_scheme_and_motion_are_followed(self):
        colour = self.value("getComputedStyle(document.body).backgroundColor")
        self.assertEqual(colour, "rgb(20, 23, 27)" if self.dark else "rgb(255, 255, 255)")
        gate = Gate()
        self.say("x", answer("y", gate))
        self.until("document.querySelector('.writing .figures')")
        name = self.value("getComputedStyle(document.querySelector('.figures'), '::before')"
                          ".animationName")
        self.assertEqual(name, "none" if self.dark else "pulse")
        gate.release()
        self.ended()


class Dark(Light):
    """Colours in the dark, and nothing moves."""

    dark = True


class Phone(PageTest):
    """390 pixels wide."""

    options = {"width": 390, "height": 844, "phone": True}
    WIDE = ("W" * 300 + " `" + "c" * 300 + "`\n\n```\n" + "x" * 400 + "\n```\n\n| " + " | ".join(
        ["column"] * 20) + " |\n" + "|-" * 20 + "|\n\nhttps://example.org/" + "a" * 300
        + "\n\n- " * 3 + "> " + "q" * 200)

    def too_wide(self):
        """What is wider than the screen, or than what it is in."""
        return self.value("""["html", "body", "header", "#messages", "#machine", "#chat"].filter(
          (name) => { const node = document.querySelector(name);
            return node.checkVisibility()
              && node.scrollWidth > Math.min(node.clientWidth, 390); })""")

    def test_nothing_is_wider_than_the_screen(self):
        self.server.models["data"][0]["id"] = "a-very-long-name-of-a-model-" * 6
        self.server.plan = {"memory": {"budget_byte_count": 8, "rows": [
            {"name": "n" * 80, "byte_count": 7, "note": "o" * 200, "basis": "derived"}]},
            "key" * 40: "value" * 50}
        self.open()
        self.say("x" * 200, Status(400, "E" * 300))
        self.value("ui.composer.requestSubmit()")
        self.ended()
        self.say("y", answer(chunk(reasoning_content="T" * 300), self.WIDE))
        self.value("ui.composer.requestSubmit()")
        self.until("messages.length === 4 && !running")
        self.assertEqual(self.too_wide(), [])
        self.value("document.querySelectorAll('.own button')[1].click()")
        self.assertEqual(self.too_wide(), [])
        self.server.live.append({"layers": [
            {"number": n, "experts": 384, "resident": ""} for n in range(61)], "hit_rate": 0.5,
            "read_mib_per_second": 12345.6, "tokens_per_second": 1234.5, "stall_share": 0.999,
            "running": 1000, "waiting": 1000, "budget_byte_count": 8, "peak_byte_count": 7})
        self.click("Machine")
        self.until("map.layers.length === 61")
        self.assertEqual(self.too_wide(), [])
        self.click("Settings")
        self.assertTrue(self.value("ui.settings.scrollWidth <= ui.settings.clientWidth"))
        box = self.value("(() => { const box = ui.settings.getBoundingClientRect();"
                         " return [box.left, box.right, box.top, box.bottom]; })()")
        self.assertTrue(box[0] >= 0 and box[1] <= 390 and box[2] >= 0 and box[3] <= 844, box)

    def test_tabs(self):
        self.open()
        shown = "[ui.chat.checkVisibility(), ui.machine.checkVisibility()]"
        self.assertEqual(self.value(shown), [True, False])
        self.value("ui.chatTab.focus()")
        self.page.press("ArrowRight")
        self.assertEqual(self.value(shown), [False, True])
        self.assertEqual(self.value("[document.activeElement.id, ui.machineTab.ariaSelected,"
                                    "ui.machine.role, ui.chatTab.tabIndex]"),
                         ["machineTab", "true", "tabpanel", -1])
        self.page.press("ArrowLeft")
        self.assertEqual(self.value(shown), [True, False])

    def test_figures_are_asked_for_only_while_they_are_seen(self):
        self.open()
        self.until("ui.modelName.textContent")
        self.assertEqual(self.asked("/v1/experts/live"), 0)
        self.server.live.append({"running": 1})
        self.click("Machine")
        self.until("ui.tiles.childElementCount === 1")
        self.assertEqual(self.asked("/v1/experts/live"), 1)
        self.click("Chat")
        self.until("live.stopper === null")

    def test_enter_breaks_the_line(self):
        self.open()
        self.value("ui.draft.focus()")
        self.page.type("a")
        self.page.press("Enter")
        self.assertEqual(self.value("ui.draft.value"), "a\n")


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1].endswith(".html"):
        PAGE = sys.argv.pop(1)
    unittest.main()
