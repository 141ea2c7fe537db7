import MoETemplates
import Testing

/// Outputs that are not quite what a style's models should write.
@Suite struct OutputEdgeTests {
  private func turn(_ text: String, _ styles: [String]) throws -> OutputTurn {
    let tools = try OutputTools.all()
    let whole = try OutputRun.events([Array(text.utf8)], styles: styles, tools: tools)
    let bytes = try OutputRun.events(text.utf8.map { [$0] }, styles: styles, tools: tools)
    #expect(whole == bytes)
    return OutputTurn(whole)
  }

  @Test func releasesTextAsSoonAsItCanBeNoMarker() throws {
    var parser = try OutputParser(styles: ["think", "hermes"])
    #expect(parser.consume("a <tool") == [.content("a")])
    #expect(parser.consume("s> b") == [.content(" <tools> b")])
    #expect(parser.consume("\n<tool_call") == [])
    #expect(parser.finish() == [.content("\n<tool_call")])
  }

  @Test func streamsArguments() throws {
    var parser = try OutputParser(styles: ["hermes"])
    _ = parser.consume("<tool_call>{\"name\": \"f\", \"arguments\": ")
    #expect(
      parser.consume("{\"a\": \"b") == [
        .toolCallStarted(index: 0, id: nil, name: "f"),
        .toolCallArguments(index: 0, "{\"a\": \"b"),
      ])
    #expect(parser.consume("c") == [.toolCallArguments(index: 0, "c")])
    #expect(
      parser.finish() == [.toolCallIncomplete(index: 0, unread: "")])
  }

  @Test func holdsNoMoreThanACharacterOfPlainText() throws {
    var parser = try OutputParser(styles: ["plain"])
    #expect(parser.consume([0x61, 0xF0, 0x9F, 0x99]) == [.content("a")])
    #expect(parser.consume([0x82]) == [.content("🙂")])
    #expect(parser.consume([0xE6, 0xBC]) == [])
    #expect(parser.finish() == [.content("\u{FFFD}")])
  }

  @Test func passesMalformedArgumentsOn() throws {
    let text = "<tool_call>{\"name\": \"now\", \"arguments\": {\"a\": tru, 1</tool_call>b"
    let read = try turn(text, ["hermes"])
    let call = OutputTurn.Call(name: "now", arguments: "{\"a\": tru, 1")
    #expect(read == OutputTurn(content: "b", calls: [call]))
    #expect(OutputTool(name: "now").problems(arguments: call.arguments).count == 1)
  }

  @Test func reportsACallWithoutANameAsItIs() throws {
    #expect(try turn("a <tool_call>\n{\"na", ["hermes"]).unread == "<tool_call>\n{\"na")
    #expect(try turn("<tool_call>\n<func", ["qwen-coder"]).unread == "<tool_call>\n<func")
    let read = try turn(
      "<tool_call>\n<function=find_route>\n<parameter=limit>\n12\n</para", ["qwen-coder"])
    #expect(read.unread == "12\n</para")
    #expect(read.calls.map(\.arguments) == ["{\"limit\": "])
  }

  @Test func makesJSONByTheSchemasTypes() throws {
    let schema = """
      {"properties": {"a": {"type": "string"}, "b": {"type": ["integer", "null"]},
       "c": {"type": "boolean"}, "d": {"anyOf": [{"type": "string"}, {"type": "null"}]},
       "e": {"type": "number"}, "f": {"enum": ["1", "x"]}}}
      """
    let tools = [try OutputTool(name: "t", schema: schema)]
    let values = [
      ("a", "12", "\"12\""), ("a", "\n x\n", "\"\\n x\\n\""), ("b", "None", "null"),
      ("b", "7", "7"),
      ("c", "True", "true"), ("d", "null", "null"), ("d", "7", "\"7\""), ("e", "1.5e3", "1.5e3"),
      ("e", "many", "\"many\""), ("f", "1", "\"1\""), ("g", "{\"x\": [1]}", "{\"x\": [1]}"),
      ("g", "x y", "\"x y\""), ("g", "", "\"\""),
    ]
    for (key, text, json) in values {
      let output = "<tool_call>t<arg_key>\(key)</arg_key><arg_value>\(text)</arg_value></tool_call>"
      let events = try OutputRun.events([Array(output.utf8)], styles: ["glm"], tools: tools)
      #expect(OutputTurn(events).calls.map(\.arguments) == ["{\"\(key)\": \(json)}"])
    }
  }

  @Test func passesOverMembersThatNoCallHas() throws {
    let text =
      #"<tool_call>{"x": {"name": "}"}, "name": "now", "arguments": {}, "y": [1]}</tool_call>"#
    #expect(try turn(text, ["hermes"]).calls.map(\.name) == ["now"])
  }

  @Test func readsACallInTheFormOfAClient() throws {
    let text =
      #"<tool_call>{"type": "function", "function": {"name": "now", "arguments": "#
      + #""{\"a\": \u12\u00e9}"}}</tool_call>"#
    let call = OutputTurn.Call(name: "now", arguments: "{\"a\": \\u12é}")
    #expect(try turn(text, ["hermes"]) == OutputTurn(calls: [call]))
  }

  @Test func readsSurrogatesAndBrokenEscapes() throws {
    let text = #"<tool_call>{"name": "a\ud83d\ude42\ud83dx\u1", "arguments": {}}</tool_call>"#
    #expect(try turn(text, ["hermes"]).calls.map(\.name) == ["a🙂\u{FFFD}x\\u1"])
  }

  @Test func goesOnThinkingBehindARefusedMarker() throws {
    let text = "<think>a <|tool_calls_section_begin|> b</think>c"
    let read = try turn(text, ["think", "kimi-k2"])
    #expect(read == OutputTurn(thinking: "a <|tool_calls_section_begin|> b", content: "c"))
  }

  @Test func keepsTextBetweenCallsAndBehindThem() throws {
    let call = "<tool_call>{\"name\": \"now\"}</tool_call>"
    let read = try turn("a\n\(call)\n\nb\n\(call) \n c </tool_call>", ["hermes"])
    #expect(read.content == "abc" && read.calls.count == 2)
    #expect(try turn("a </tool_call> b", ["hermes"]).content == "a </tool_call> b")
  }

  @Test func readsAnExtraBraceAsContent() throws {
    let read = try turn("<tool_call>{\"name\": \"now\"}}</tool_call>", ["hermes"])
    #expect(read.content == "}" && read.calls.map(\.isComplete) == [true])
  }

  @Test func keepsLongRunsOfWhiteSpace() throws {
    let space = String(repeating: " ", count: 5000)
    #expect(try turn("a\(space)b", ["think", "hermes"]).content == "a\(space)b")
    #expect(try turn(" {\"a\":\(space)1}", ["llama"]).content == " {\"a\":\(space)1}")
  }

  @Test func readsRemainderOfADeepGemmaValueAsText() throws {
    let deep = "<|tool_call>call:f{a:" + String(repeating: "[", count: 200) + "}<tool_call|>"
    let read = try turn(deep, ["gemma"])
    #expect(read.calls.count == 1)
  }

  @Test func findsACallBehindARefusedMarker() throws {
    let read = try turn("<tool_call><tool_call>{\"name\": \"now\"}</tool_call>", ["hermes"])
    #expect(read.content == "<tool_call>" && read.calls.map(\.name) == ["now"])
  }

  @Test func boundsWhatItHoldsBack() throws {
    let outputs: [(styles: [String], beginning: String)] = [
      (["hermes"], "<tool_call>{\"arguments\": {\"a\": \""),
      (["hermes"], "<tool_call>{\"name\": \""), (["kimi-k2"], "<|tool_calls_section_begin|>"),
      (["kimi-k2"], "<|tool_calls_section_begin|><|tool_call_begin|>"),
      (["glm"], "<tool_call>find_route<arg_key>limit</arg_key><arg_value>"),
      (["glm"], "<tool_call>find_route<arg_key>"), (["glm"], "<tool_call>"),
      (["llama"], "{\"name\": \""), (["pythonic"], "["), (["gemma"], "<|tool_call>call:"),
      (["gemma"], "<|tool_call>call:f{a:"), (["minimax-m3"], "]<]minimax[>[<tool_call>"),
      (["harmony"], "<|channel|>"), (["lfm2"], "<|tool_call_start|>[f(a="),
    ]
    for (styles, beginning) in outputs {
      var parser = try OutputParser(styles: styles, tools: OutputTools.all())
      var events = parser.consume(beginning)
      let isValue =
        beginning.hasSuffix("<arg_value>") || beginning.hasSuffix("a:")
        || beginning.hasSuffix("a=")
      let limit = isValue ? 1 << 20 : 1 << 16
      events += parser.consume(repeatElement(UInt8(ascii: "x"), count: limit + 10_000))
      let said = OutputTurn(events)
      let count = said.content.utf8.count + said.calls.map(\.arguments.utf8.count).reduce(0, +)
      #expect(count >= 9_000, "\(styles) \(beginning)")
    }
  }

  @Test func takesTimeInProportionToTheOutput() throws {
    let patterns = [
      "<", "<tool_call>", "<tool_call>{\"arguments\": \"", "<tool_call>{\"name\": \"f\"}", "[", "{",
      "]<]minimax[>[<a>", "<|tool_call_begin|>", "\n", "<function=f><parameter=a>", "[TOOL_CALLS]a",
      "<|channel|>final<|message|>a", "<think>", "\\", "\"",
    ]
    for style in OutputStyleRegistry.all {
      for pattern in patterns {
        let count = 60_000 / pattern.utf8.count
        let text = Array(String(repeating: pattern, count: count).utf8)
        var parser = OutputParser(styles: [style])
        let clock = ContinuousClock()
        let duration = clock.measure {
          _ = parser.consume(text)
          _ = parser.finish()
        }
        #expect(duration < .seconds(5), "\(style.name) \(pattern)")
      }
    }
  }
}
