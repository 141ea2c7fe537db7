import MoECore
import MoETokenizer

/// A SentencePiece vocabulary that tests make up: unknown, begin, end, the 256 bytes, then pieces.
struct PieceVocabulary {
  static let unknown: Int32 = 0
  static let begin: Int32 = 1
  static let end: Int32 = 2
  /// Id of the token for byte 0.
  static let firstByte: Int32 = 3

  var tokens = ["<unk>", "<s>", "</s>"]
  var kinds: [Int64] = [2, 3, 3]
  var scores: [Float] = [0, 0, 0]

  init(hasBytes: Bool = true) {
    for byte in 0..<256 where hasBytes {
      let digits = String(byte, radix: 16, uppercase: true)
      add("<0x" + (byte < 16 ? "0" : "") + digits + ">", score: 0, kind: 6)
    }
  }

  /// Returns the piece's id.
  @discardableResult
  mutating func add(_ text: String, score: Float, kind: Int64 = 1) -> Int32 {
    tokens.append(text)
    kinds.append(kind)
    scores.append(score)
    return Int32(tokens.count - 1)
  }

  /// Characters, and random joins of what is there. Few different scores, so that many are equal.
  mutating func addRandomPieces(
    _ count: Int, letters: String, using generator: inout SeededGenerator
  ) {
    var parts = letters.map { String($0) }
    // All vocabularies have the space; some characters are left to bytes.
    for part in parts where part == "▁" || Int.random(in: 0..<8, using: &generator) > 0 {
      add(part, score: Float(Int.random(in: -40 ... -20, using: &generator)))
    }
    for _ in 0..<count {
      let text =
        parts.randomElement(using: &generator)! + parts.randomElement(using: &generator)!
      if text.count > 8 || tokens.contains(text) { continue }
      add(text, score: Float(Int.random(in: -20 ... -1, using: &generator)))
      parts.append(text)
    }
  }

  var metadata: MemoryMetadata {
    var metadata = MemoryMetadata()
    metadata["model"] = .string("llama")
    metadata["pre"] = .string("default")
    metadata["tokens"] = .strings(tokens)
    metadata["token_type"] = .array(.signed(kinds))
    metadata["scores"] = .array(.float(scores))
    return metadata
  }

  func tokenizer() throws -> Tokenizer { try Tokenizer(metadata: metadata) }

  /// Encoding as SentencePiece describes it, on strings: slow and plain. Text gets its prefix.
  func naiveEncode(_ text: String) -> [Int32] {
    if text.isEmpty { return [] }
    let isPiece = { (text: String) in
      tokens.firstIndex(of: text).flatMap { [1, 4].contains(kinds[$0]) ? $0 : nil }
    }
    var parts = "▁\(text.replacing(" ", with: "▁"))".unicodeScalars.map { String($0) }
    while true {
      let joins = parts.indices.dropLast().compactMap { index in
        isPiece(parts[index] + parts[index + 1]).map { (score: scores[$0], index: index) }
      }
      guard let score = joins.map(\.score).max(),
        let best = joins.first(where: { $0.score == score })
      else { break }
      parts[best.index] += parts.remove(at: best.index + 1)
    }
    return parts.flatMap { part in
      isPiece(part).map { [Int32($0)] }
        ?? part.utf8.map { Self.firstByte + Int32($0) }
    }
  }
}
