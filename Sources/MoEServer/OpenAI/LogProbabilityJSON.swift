import MoECore
import MoERuntime
import MoETokenizer

/// How probable tokens were, in each interface's words.
struct LogProbabilityJSON {
  let tokenizer: Tokenizer

  /// What stands for a probability of nought, as OpenAI has it.
  private static let least = -9999.0

  /// An element of `logprobs.content` of chat completions.
  func chat(_ token: ContentToken) -> JSON {
    [
      "token": .string(token.text), "logprob": Self.number(token.logProbability),
      "bytes": .array(token.bytes.map { .integer(Int($0)) }),
      "top_logprobs": .array(
        token.alternatives.map { alternative in
          let bytes = tokenizer.bytes(of: alternative.id, renderSpecial: true)
          return [
            "token": .string(String(decoding: bytes, as: UTF8.self)),
            "logprob": Self.number(alternative.logProbability),
            "bytes": .array(bytes.map { .integer(Int($0)) }),
          ]
        }),
    ]
  }

  /// `logprobs` of plain completions.
  ///
  /// - Parameter offset: Characters before the first of the tokens; after the call, those before
  ///   the next.
  func completion(_ tokens: [ContentToken], offset: inout Int) -> JSON {
    var offsets: [JSON] = []
    for token in tokens {
      offsets.append(.integer(offset))
      offset += token.text.unicodeScalars.count
    }
    return [
      "tokens": .array(tokens.map { .string($0.text) }),
      "token_logprobs": .array(tokens.map { Self.number($0.logProbability) }),
      "top_logprobs": .array(tokens.map(alternatives)),
      "text_offset": .array(offsets),
    ]
  }

  private func alternatives(_ token: ContentToken) -> JSON {
    var members: [JSONMember] = []
    for alternative in token.alternatives {
      let bytes = tokenizer.bytes(of: alternative.id, renderSpecial: true)
      let text = String(decoding: bytes, as: UTF8.self)
      // Tokens that are parts of characters look alike; the most probable one is named.
      if members.contains(where: { $0.name == text }) { continue }
      members.append(JSONMember(name: text, value: Self.number(alternative.logProbability)))
    }
    return .object(members)
  }

  /// An element of llama-server's `completion_probabilities`.
  func llama(_ token: ContentToken) -> JSON {
    [
      "id": .integer(Int(token.id)), "token": .string(token.text),
      "bytes": .array(token.bytes.map { .integer(Int($0)) }),
      "logprob": Self.number(token.logProbability),
      "top_logprobs": .array(
        token.alternatives.map { alternative in
          let bytes = tokenizer.bytes(of: alternative.id, renderSpecial: true)
          return [
            "id": .integer(Int(alternative.id)),
            "token": .string(String(decoding: bytes, as: UTF8.self)),
            "bytes": .array(bytes.map { .integer(Int($0)) }),
            "logprob": Self.number(alternative.logProbability),
          ]
        }),
    ]
  }

  private static func number(_ value: Double) -> JSON { .real(max(least, min(0, value))) }
}
