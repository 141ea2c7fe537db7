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

  /// From a file that is kept in gzip's format.
  static func compressedGGUF(_ path: String) throws -> Tokenizer {
    let packed = [UInt8](try Data(contentsOf: Goldens.require(path)))
    let folder = try TemporaryFolder()
    let file = folder.url.appendingPathComponent("vocabulary.gguf")
    try Data(unpacked(packed)).write(to: file)
    return try withExtendedLifetime(folder) {
      try Tokenizer(metadata: GGUFFile(path: file.path))
    }
  }

  /// RFC 1952: a head of ten bytes and perhaps a name, deflate data, the checksum, the size.
  private static func unpacked(_ bytes: [UInt8]) throws -> [UInt8] {
    var start = 10
    if bytes[3] & 8 != 0 { start = bytes[start...].firstIndex(of: 0)! + 1 }
    let size = bytes.suffix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
    return try inflate(bytes[start..<bytes.count - 8], byteCount: size)
  }

  /// From a folder with a `tokenizer.json`.
  static func published(_ folder: String) throws -> Tokenizer {
    let file = try Goldens.require(folder + "/tokenizer.json")
    return try Tokenizer(
      metadata: HuggingFaceTokenizer(folder: file.deletingLastPathComponent().path))
  }
}
