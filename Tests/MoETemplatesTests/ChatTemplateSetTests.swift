import MoECore
import MoETemplates
import Testing

/// The template for a conversation is found by what the file has, or by a name of ours.
@Suite struct ChatTemplateSetTests {
  @Test func choosesTheTemplateForTools() throws {
    let set = try ChatTemplateSet(sources: ["default": "a", "tool_use": "b", "rag": "c"])
    #expect(set.names == ["default", "rag", "tool_use"])
    #expect(try set.template(hasTools: false).source == "a")
    #expect(try set.template(hasTools: true).source == "b")
    #expect(set["rag"]?.source == "c")
    let single = try ChatTemplateSet(sources: ["default": "a"])
    #expect(try single.template(hasTools: true).source == "a")
    let other = try ChatTemplateSet(sources: ["chat": "a"])
    #expect(try other.template(hasTools: false).source == "a")
  }

  @Test func saysWhatIsMissingOrBroken() throws {
    let set = try ChatTemplateSet(sources: ["rag": "a", "tool_use": "b"])
    #expect(try set.template(hasTools: true).source == "b")
    let missing = #expect(throws: TemplateError.self) { try set.template(hasTools: false) }
    #expect(missing?.problem == "no default among the chat templates (rag, tool_use)")
    let broken = #expect(throws: TemplateError.self) {
      try ChatTemplateSet(sources: ["default": "a", "rag": "\n{{"])
    }
    #expect(broken?.problem.contains("'rag'") ?? false)
    #expect(broken?.line == 2)
  }

  private static let conversation = [
    ChatMessage(role: "system", text: "Be brief."), ChatMessage(role: "user", text: "Hi"),
    ChatMessage(role: "assistant", content: .parts([ChatMessage.Content.textPart("Yes?")])),
    ChatMessage(role: "user", text: "Bye"),
  ]

  @Test(arguments: [
    (
      "chatml",
      """
      <|im_start|>system
      Be brief.<|im_end|>
      <|im_start|>user
      Hi<|im_end|>
      <|im_start|>assistant
      Yes?<|im_end|>
      <|im_start|>user
      Bye<|im_end|>
      <|im_start|>assistant

      """
    ),
    (
      "llama2",
      """
      <s>[INST] <<SYS>>
      Be brief.
      <</SYS>>

      Hi [/INST] Yes? </s><s>[INST] Bye [/INST]
      """
    ),
    (
      "llama3",
      """
      <s><|start_header_id|>system<|end_header_id|>

      Be brief.<|eot_id|><|start_header_id|>user<|end_header_id|>

      Hi<|eot_id|><|start_header_id|>assistant<|end_header_id|>

      Yes?<|eot_id|><|start_header_id|>user<|end_header_id|>

      Bye<|eot_id|><|start_header_id|>assistant<|end_header_id|>


      """
    ),
    (
      "gemma",
      """
      <s><start_of_turn>user
      Be brief.

      Hi<end_of_turn>
      <start_of_turn>model
      Yes?<end_of_turn>
      <start_of_turn>user
      Bye<end_of_turn>
      <start_of_turn>model

      """
    ),
    (
      "mistral",
      """
      <s>[INST] Be brief.

      Hi [/INST] Yes?</s>[INST] Bye [/INST]
      """
    ),
    (
      "deepseek",
      """
      <s>Be brief.<｜User｜>Hi<｜Assistant｜>Yes?<｜end▁of▁sentence｜><｜User｜>Bye<｜Assistant｜>
      """
    ),
    (
      "phi3",
      """
      <|system|>
      Be brief.<|end|>
      <|user|>
      Hi<|end|>
      <|assistant|>
      Yes?<|end|>
      <|user|>
      Bye<|end|>
      <|assistant|>

      """
    ),
  ])
  func builtInTemplatesWriteTheirFormat(_ name: String, _ expected: String) throws {
    let entry = try #require(BuiltInTemplateRegistry.template(named: name))
    let segments = try ChatTemplate(source: entry.source).render(
      messages: Self.conversation, addsGenerationPrompt: true,
      variables: ["bos_token": .trusted(.string("<s>"))])
    #expect(segments.map(\.string).joined() == expected)
    let texts = segments.compactMap { if case .text(let text) = $0 { text } else { nil } }
    #expect(texts.joined().contains("Be brief.") && !texts.joined().contains("<"))
  }

  @Test func everyBuiltInTemplateIsTested() {
    let names = BuiltInTemplateRegistry.all.map(\.name)
    #expect(Set(names) == ["chatml", "llama2", "llama3", "gemma", "mistral", "deepseek", "phi3"])
    #expect(names.count == 7)
  }
}
