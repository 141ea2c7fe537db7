import Foundation
import MoETokenizer
import Testing

/// Words against those that another library's regular expressions found
/// (`Tests/Fixtures/pretokenizers`).
@Suite struct PublishedExpressionTests {
  private struct Fixture: Decodable {
    let texts: [String]
    /// Lengths of words by pre-tokenizer and text.
    let wordByteCounts: [String: [[Int]]]
  }

  private func fixture() throws -> Fixture {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Fixtures/pretokenizers")
    let data = try Data(contentsOf: folder.appendingPathComponent("words.json"))
    return try JSONDecoder().decode(Fixture.self, from: data)
  }

  @Test func wordsAreThoseOfThePublishedExpressions() throws {
    let fixture = try fixture()
    #expect(fixture.texts.count == 400)
    for entry in PreTokenizerRegistry.all {
      let wanted = try #require(fixture.wordByteCounts[entry.name], "no words of \(entry.name)")
      for (text, counts) in zip(fixture.texts, wanted) {
        let words = try entry.words(of: text)
        #expect(words.map(\.utf8.count) == counts, "\(entry.name): \(text.debugDescription)")
        #expect(words.joined().utf8.elementsEqual(text.utf8))
      }
    }
  }

  /// What is peculiar to each, written out.
  @Test(arguments: [
    ("gpt-4o", "HTMLParser isn't MyXMLFile", ["HTMLParser", " isn't", " My", "XMLFile"]),
    ("gpt-4o", "ÄÖÜber ABC 12345/\n/x", ["ÄÖÜber", " ABC", " ", "123", "45", "/\n/", "x"]),
    ("llama-bpe", "isn't ABC1234", ["isn", "'t", " ABC", "123", "4"]),
    ("qwen2", "A12\n\n b", ["A", "1", "2", "\n\n", " b"]),
    ("qwen35", "ne\u{301}e", ["ne\u{301}e"]),
    ("gpt-2", "a  b 1234", ["a", " ", " b", " 1234"]),
    ("tekken", "HTMLParser 123/\n", ["HTMLParser", " ", "1", "2", "3", "/\n"]),
    ("kimi-k2", "a中文Ab 1234", ["a", "中文", "Ab", " ", "123", "4"]),
    ("deepseek-v3", "a12345中b", ["a", "123", "45", "中", "b"]),
    ("deepseek-llm", "né中 x", ["n", "é", "中", " x"]),
    ("refact", "a 123", ["a", " ", "1", "2", "3"]),
    ("bailingmoe", "a\n\nb", ["a", "\n\n", "b"]),
    ("exaone-moe", "to be or\nnot", ["to be or", "\n", "not"]),
    ("afmoe", "x1234567 12", ["x", "1", "234", "567", " ", "12"]),
    ("deepseek-coder", "a中文b 12, c", ["a", "中文", "b", " ", "1", "2", ",", " c"]),
  ])
  func examples(name: String, text: String, words: [String]) throws {
    let entry = try #require(PreTokenizerRegistry.all.first { $0.name == name })
    #expect(try entry.words(of: text) == words)
  }
}
