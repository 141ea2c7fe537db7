import MoECore
import Testing

@Suite struct QuotedTextTests {
  @Test(arguments: [
    ("blk.0.attn_q.weight", #""blk.0.attn_q.weight""#),
    ("", #""""#),
    ("naïve 🦉 模型", #""naïve 🦉 模型""#),
    ("\u{1B}[2J\u{7}", #""\u{1b}[2J\u{7}""#),
    ("two\nlines\r\u{85}\u{2028}\u{2029}", #""two\u{a}lines\u{d}\u{85}\u{2028}\u{2029}""#),
    ("\u{202E}evil\u{2066}\u{200F}", #""\u{202e}evil\u{2066}\u{200f}""#),
    ("zero\u{200B}width\u{FEFF}", #""zero\u{200b}width\u{feff}""#),
    ("\u{9B}31m", #""\u{9b}31m""#),
    ("private \u{E000}\u{10FFFF}", #""private \u{e000}\u{10ffff}""#),
    (#"a" and \u{1b}"#, #""a\" and \\u{1b}""#),
  ])
  func escapesWhatATerminalWouldActOn(_ text: String, _ quoted: String) {
    #expect(text.quotedForMessage == quoted)
  }

  @Test func neverLetsAControlCharacterThrough() {
    for value in UInt32(0)...0x10FFFF {
      guard let scalar = Unicode.Scalar(value) else { continue }
      let quoted = String(Character(scalar)).quotedForMessage
      let isPlain = quoted.unicodeScalars.allSatisfy { scalar in
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned: false
        default: true
        }
      }
      if !isPlain { Issue.record("U+\(String(value, radix: 16)) goes through") }
    }
  }

  @Test func differentTextsStayDifferent() {
    let texts = ["\n", "\\n", "\\u{a}", "\"", "\\\"", "a\\", "a"]
    #expect(Set(texts.map(\.quotedForMessage)).count == texts.count)
  }

  @Test func cutsLongTexts() {
    let quoted = String(repeating: "x", count: 1000).quotedForMessage
    #expect(quoted == "\"" + String(repeating: "x", count: 80) + "...\"")
    let whole = String(repeating: "x", count: 80)
    #expect(whole.quotedForMessage == "\"\(whole)\"")
  }
}
