import Foundation
import MoECore
import MoEFormats
import MoETestSupport
import MoETokenizer

/// Metadata held in memory, to be changed at will.
struct MemoryMetadata: MetadataSource {
  var values: [String: MetadataValue] = [:]
  let sourceName = "memory"

  func value(forKey key: String) -> MetadataValue? { values[key] }

  subscript(key: String) -> MetadataValue? {
    get { values["tokenizer.ggml." + key] }
    set { values["tokenizer.ggml." + key] = newValue }
  }
}

extension MetadataValue {
  static func strings(_ strings: [String]) -> MetadataValue {
    var packed = PackedStrings()
    for string in strings { packed.append(Array(string.utf8)) }
    return .array(.strings(packed))
  }
}

/// A vocabulary that tests make up: the 256 bytes, then tokens joined from others, then more.
struct MadeUpVocabulary {
  /// Characters of the byte alphabet, by byte: built from its definition, unlike the tokenizer's.
  static let alphabet: [Character] = {
    let printable = Set(33...126).union(161...172).union(174...255)
    var next = 256
    return (0..<256).map { byte in
      var value = byte
      if !printable.contains(byte) {
        value = next
        next += 1
      }
      return Character(Unicode.Scalar(UInt16(value))!)
    }
  }()

  /// Token ids 0 to 255 are the bytes in order.
  var tokens = Self.alphabet.map { String($0) }
  var kinds = [Int64](repeating: 1, count: 256)
  var merges: [(left: String, right: String)] = []
  var preTokenizer: String? = "gpt-2"

  mutating func addMerge(_ left: String, _ right: String) {
    merges.append((left, right))
    if !tokens.contains(left + right) { add(left + right, kind: 1) }
  }

  mutating func add(_ text: String, kind: Int64) {
    tokens.append(text)
    kinds.append(kind)
  }

  /// Merges of random tokens so that words of the alphabet's `letters` are often joined.
  mutating func addRandomMerges(
    _ count: Int, letters: String, using generator: inout SeededGenerator
  ) {
    var parts = Array(letters.utf8).map { String(Self.alphabet[Int($0)]) }
    for _ in 0..<count {
      let left = parts.randomElement(using: &generator)!
      let right = parts.randomElement(using: &generator)!
      if left.count + right.count > 8 { continue }
      addMerge(left, right)
      parts.append(left + right)
    }
  }

  var metadata: MemoryMetadata {
    var metadata = MemoryMetadata()
    metadata["model"] = .string("gpt2")
    metadata["pre"] = preTokenizer.map { .string($0) }
    metadata["tokens"] = .strings(tokens)
    metadata["token_type"] = .array(.signed(kinds))
    metadata["merges"] = .strings(merges.map { "\($0.left) \($0.right)" })
    return metadata
  }

  func tokenizer() throws -> Tokenizer { try Tokenizer(metadata: metadata) }
}

/// Tokenizers from the reference data.
enum ReferenceTokenizer {
  static func gguf(_ path: String) throws -> Tokenizer {
    try Tokenizer(metadata: GGUFFile(path: Goldens.require(path).path))
  }

  /// From a `tokenizer.json` as the `tokenizers` library writes it.
  static func json(_ path: String, preTokenizer: String) throws -> Tokenizer {
    struct File: Decodable {
      struct Added: Decodable {
        let id: Int
        let content: String
        let special: Bool
      }
      struct Model: Decodable {
        let vocab: [String: Int]
        let merges: [Merge]
      }
      let addedTokens: [Added]
      let model: Model

      enum CodingKeys: String, CodingKey {
        case addedTokens = "added_tokens"
        case model
      }
    }
    /// Written as one string or as two, depending on the library's version.
    struct Merge: Decodable {
      let text: String
      init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        text =
          try (try? container.decode(String.self))
          ?? container.decode([String].self).joined(separator: " ")
      }
    }
    let file = try JSONDecoder().decode(File.self, from: Data(contentsOf: Goldens.require(path)))
    var texts = file.model.vocab.reduce(into: [Int: String]()) { $0[$1.value] = $1.key }
    for token in file.addedTokens { texts[token.id] = token.content }
    let special = Set(file.addedTokens.map(\.id))
    var metadata = MemoryMetadata()
    metadata["model"] = .string("gpt2")
    metadata["pre"] = .string(preTokenizer)
    let ids = texts.keys.sorted()
    metadata["tokens"] = .strings(ids.map { texts[$0]! })
    metadata["token_type"] = .array(.signed(ids.map { special.contains($0) ? 3 : 1 }))
    metadata["merges"] = .strings(file.model.merges.map(\.text))
    return try Tokenizer(metadata: metadata)
  }
}
