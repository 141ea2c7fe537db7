import MoECore
import MoETemplates
import Testing

/// A template's way to write the turns of the assistant.
struct OutputFamily: Sendable, CustomTestStringConvertible {
  let template: String
  let styles: [String]
  /// What stands before a turn; and after it, where that isn't the text's end.
  let openings: [String]
  let closings: [String]
  /// Whether the prompt for a turn opens thinking.
  var opensThinking = false
  var rendersCalls = true
  var callCountMax = 2
  /// Whether the ids are those of the conversation.
  var hasIDs = false

  var testDescription: String { template }

  private static let chatML = ["<|im_start|>assistant\n"]

  static let all: [OutputFamily] = [
    OutputFamily(
      template: "Cohere2MoE", styles: ["cohere"],
      openings: ["<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>"], closings: ["<|END_OF_TURN_TOKEN|>"],
      opensThinking: true),
    OutputFamily(
      template: "GLM-4.6", styles: ["glm", "think"], openings: ["<|assistant|>"],
      closings: ["<|observation|>", "<|user|>"]),
    OutputFamily(
      template: "Kimi-K2-Instruct", styles: ["kimi-k2"],
      openings: ["<|im_assistant|>assistant<|im_middle|>"], closings: ["<|im_end|>"]),
    OutputFamily(
      template: "Kimi-K3", styles: ["kimi-k3"],
      openings: ["<|open|>message role=\"assistant\"<|sep|>"], closings: ["<|end_of_msg|>"],
      opensThinking: true),
    OutputFamily(
      template: "LFM2-8B-A1B", styles: ["lfm2"], openings: chatML, closings: ["<|im_end|>"],
      rendersCalls: false),
    OutputFamily(
      template: "MiniMax-M2", styles: ["minimax-m2", "think"], openings: ["]~b]ai\n"],
      closings: ["[e~["], opensThinking: true),
    OutputFamily(
      template: "MiniMax-M3", styles: ["minimax-m3"], openings: ["]~b]ai\n"], closings: ["[e~["]),
    OutputFamily(
      template: "NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", styles: ["qwen-coder", "think"],
      openings: chatML, closings: ["<|im_end|>"], opensThinking: true),
    OutputFamily(
      template: "Qwen-Qwen3-0.6B", styles: ["hermes", "think"], openings: chatML,
      closings: ["<|im_end|>"]),
    OutputFamily(
      template: "Qwen3-Coder", styles: ["qwen-coder"], openings: chatML, closings: ["<|im_end|>"]),
    OutputFamily(
      template: "StepFun3.5-Flash", styles: ["qwen-coder", "think"], openings: chatML,
      closings: ["<|im_end|>"], opensThinking: true),
    OutputFamily(
      template: "deepseek-ai-DeepSeek-V3.1", styles: ["deepseek", "think"],
      openings: ["<｜Assistant｜>", "<｜tool▁output▁end｜>"],
      closings: ["<｜end▁of▁sentence｜>", "<｜tool▁output▁begin｜>", "<｜User｜>"]),
    OutputFamily(
      template: "deepseek-ai-DeepSeek-V4", styles: ["dsml", "think"], openings: ["<｜Assistant｜>"],
      closings: ["<｜end▁of▁sentence｜>"]),
    OutputFamily(
      template: "google-gemma-4-31B-it", styles: ["gemma"],
      openings: ["<|turn>model\n", "<tool_response|>"],
      closings: ["<turn|>", "<|tool_response>", "<|turn>user"]),
    OutputFamily(
      template: "ibm-granite-granite-4.0", styles: ["hermes"],
      openings: ["<|start_of_role|>assistant<|end_of_role|>"], closings: ["<|end_of_text|>"]),
    OutputFamily(
      template: "inclusionai-ling-3.0-flash", styles: ["glm", "think"],
      openings: ["<role>ASSISTANT</role>"], closings: ["<|role_end|>"], opensThinking: true),
    OutputFamily(
      template: "microsoft-Phi-3.5-mini-instruct", styles: ["plain"], openings: ["<|assistant|>\n"],
      closings: ["<|end|>\n"], rendersCalls: false),
    OutputFamily(
      template: "mistralai-Mistral-Nemo-Instruct-2407", styles: ["mistral"],
      openings: ["[/INST]", "[/TOOL_RESULTS]"], closings: ["</s>", "[TOOL_RESULTS]"]),
    OutputFamily(
      template: "moonshotai-Kimi-K2", styles: ["kimi-k2"],
      openings: ["<|im_assistant|>assistant<|im_middle|>"], closings: ["<|im_end|>"]),
    // The template renders one call of a message.
    OutputFamily(
      template: "openai-gpt-oss-120b", styles: ["harmony"], openings: ["<|start|>assistant"],
      closings: ["<|start|>functions", "<|start|>user"], callCountMax: 1),
    OutputFamily(
      template: "upstage-Solar-Open-100B", styles: ["solar"], openings: ["<|begin|>assistant"],
      closings: ["<|begin|>tool", "<|begin|>user"], hasIDs: true),
  ]

  /// The turns of the assistant in a rendered conversation, without empty ones.
  func turns(in text: String) -> [String] {
    var turns: [String] = []
    var rest = text[...]
    while let start = openings.compactMap({ rest.firstRange(of: $0)?.upperBound }).min() {
      rest = rest[start...]
      let end = closings.compactMap { rest.firstRange(of: $0)?.lowerBound }.min() ?? rest.endIndex
      if start < end { turns.append(String(rest[..<end])) }
      rest = rest[end...]
    }
    return turns
  }
}

/// The turns that chat templates write into a history are read back.
@Suite struct OutputGoldenTests {
  @Test(arguments: OutputFamily.all)
  func detectsTheStyles(_ family: OutputFamily) throws {
    let template = try OutputGoldens.text(family.template + ".jinja")
    #expect(OutputStyle.detect(template: template) == family.styles)
  }

  @Test func detectsPlainText() {
    #expect(OutputStyle.detect(template: "{{ messages }}") == ["plain"])
  }

  @Test func everyTemplateIsCovered() throws {
    let index = try OutputGoldens.json("index.json")
    guard case .object(let templates) = index["templates"] else {
      Issue.record("no templates")
      return
    }
    #expect(Set(templates.map(\.name)) == Set(OutputFamily.all.map(\.template)))
  }

  @Test(arguments: OutputFamily.all)
  func knowsWhetherThePromptOpensThinking(_ family: OutputFamily) throws {
    let rendered = try OutputGoldens.json(family.template + ".rendered.json")["rendered"]
    guard case .string(let prompt) = rendered?["reasoning+prompt"]?["text"] else {
      Issue.record("no rendering")
      return
    }
    #expect(
      OutputStyle.opensThinking(prompt: prompt, styles: family.styles) == family.opensThinking)
  }

  @Test(arguments: OutputFamily.all)
  func readsHistoryBack(_ family: OutputFamily) throws {
    let index = try OutputGoldens.json("index.json")
    let rendered = try OutputGoldens.json(family.template + ".rendered.json")["rendered"]
    var turnCount = 0
    for name in ["multi", "tools", "reasoning", "tool_results", "tool_answer"] {
      guard case .string(let text) = rendered?[name]?["text"] else { continue }
      let conversation = index["conversations"]?[name]
      let messages = try #require(conversation?["messages"]?.elements)
      let tools = try (conversation?["tools"]?.elements ?? []).map { tool in
        let function = try #require(tool["function"])
        return OutputTool(
          name: try #require(function["name"]?.text), parameters: function["parameters"])
      }
      let spoken = messages.filter { message in
        guard message["role"]?.text == "assistant" else { return false }
        return family.rendersCalls || message["tool_calls"] == nil
      }
      let turns = family.turns(in: afterFirstUser(text, messages))
      #expect(turns.count == spoken.count, "\(name): \(turns)")
      for (turn, message) in zip(turns, spoken) {
        try compare(turn, with: message, family, tools, name)
        turnCount += 1
      }
    }
    #expect(turnCount >= 3)
  }

  /// The rendering from the first message of the user on: what is before it may show examples.
  private func afterFirstUser(_ text: String, _ messages: [JSON]) -> String {
    guard let first = messages.first(where: { $0["role"]?.text == "user" })?["content"]?.text,
      let start = text.firstRange(of: first.outputTrimmed)?.upperBound
    else { return text }
    return String(text[start...])
  }

  private func compare(
    _ text: String, with message: JSON, _ family: OutputFamily, _ tools: [OutputTool],
    _ conversation: String
  ) throws {
    let bytes = Array(text.utf8)
    let events = try OutputRun.events([bytes], styles: family.styles, tools: tools)
    let bytewise = try OutputRun.events(
      bytes.map { [$0] }, styles: family.styles, tools: tools)
    #expect(bytewise == events)
    for seed in 0..<UInt64(10) {
      var generator = SeededGenerator(seed: seed)
      let pieces = OutputRun.pieces(bytes, by: &generator)
      let piecewise = try OutputRun.events(pieces, styles: family.styles, tools: tools)
      #expect(piecewise == events, "seed \(seed)")
    }
    let turn = OutputTurn(events)
    let context: Comment = "\(conversation): \(text.debugDescription) read as \(turn)"
    #expect(turn.content.outputTrimmed == (message["content"]?.text ?? "").outputTrimmed, context)
    let thinking = message["reasoning_content"]?.text ?? ""
    #expect(turn.thinking == (text.contains(thinking) ? thinking : ""), context)
    #expect(turn.unread == nil, context)
    let calls = (message["tool_calls"]?.elements ?? []).prefix(family.callCountMax)
    #expect(turn.calls.count == calls.count, context)
    for (call, wanted) in zip(turn.calls, calls) {
      let function = try #require(wanted["function"])
      #expect(call.name == function["name"]?.text, context)
      #expect(call.isComplete, context)
      if family.hasIDs { #expect(call.id == wanted["id"]?.text, context) }
      let arguments = try JSON(text: call.arguments)
      let wantedArguments = try #require(function["arguments"])
      #expect(arguments.isSame(as: wantedArguments), context)
      let tool = try #require(tools.first { $0.name == call.name })
      #expect(tool.problems(arguments: call.arguments) == [], context)
    }
  }
}

extension JSON {
  var text: String? {
    guard case .string(let text) = self else { return nil }
    return text
  }
}

extension String {
  var outputTrimmed: String {
    String(drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
  }
}
