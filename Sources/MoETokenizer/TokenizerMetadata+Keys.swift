import MoECore

enum MetadataKey {
  static let model = "tokenizer.ggml.model"
  static let preTokenizer = "tokenizer.ggml.pre"
  static let tokens = "tokenizer.ggml.tokens"
  static let kinds = "tokenizer.ggml.token_type"
  static let merges = "tokenizer.ggml.merges"
  static let beginToken = "tokenizer.ggml.bos_token_id"
  static let endToken = "tokenizer.ggml.eos_token_id"
  static let endOfTurnToken = "tokenizer.ggml.eot_token_id"
  static let endOfMessageToken = "tokenizer.ggml.eom_token_id"
  static let paddingToken = "tokenizer.ggml.padding_token_id"
  static let unknownToken = "tokenizer.ggml.unknown_token_id"
  static let addBeginToken = "tokenizer.ggml.add_bos_token"
  static let addEndToken = "tokenizer.ggml.add_eos_token"
}

extension TokenizerMetadata {
  /// `gpt2` is what files call any byte-level byte-pair encoding.
  func requireByteLevelModel() throws(TokenizerError) {
    let supported = "gpt2"
    guard let model = try string(MetadataKey.model) else {
      throw error(
        .missing, MetadataKey.model, wanted: "the kind of tokenizer", found: "no such key")
    }
    guard model == supported else {
      throw error(
        .unsupported, MetadataKey.model, wanted: "one of: \(supported)", found: "\"\(model)\"",
        advice: "choose a model with a byte-level BPE tokenizer")
    }
  }

  /// The pre-tokenizer and, where the file names none, a note of what was assumed.
  func preTokenizer() throws(TokenizerError) -> (any PreTokenizer, notes: [String]) {
    let name = try string(MetadataKey.preTokenizer)
    guard let entry = PreTokenizerRegistry.entry(named: name ?? PreTokenizerRegistry.defaultName)
    else {
      throw error(
        .unsupported, MetadataKey.preTokenizer,
        wanted: "one of: \(PreTokenizerRegistry.names.joined(separator: ", "))",
        found: "\"\(name ?? "")\"", advice: "choose a model with one of these pre-tokenizers")
    }
    if name != nil { return (entry.make(), []) }
    let note = """
      \(source.sourceName) has no \(MetadataKey.preTokenizer): text is split as \
      \(entry.name) does, and if the model was trained otherwise its answers suffer
      """
    return (entry.make(), [note])
  }

  /// At least one token, and no more than 32-bit ids can tell apart.
  func vocabulary() throws(TokenizerError) -> PackedStrings {
    let tokens = try strings(MetadataKey.tokens)
    guard tokens.count > 0, tokens.count <= Int(Int32.max) else {
      throw error(
        .wrongCount, MetadataKey.tokens, wanted: "1 to \(Int32.max) tokens",
        found: "\(tokens.count)")
    }
    return tokens
  }

  /// All tokens are normal where the file does not tell.
  func kinds(count: Int) throws(TokenizerError) -> [TokenKind] {
    guard let values = try integers(MetadataKey.kinds) else {
      return Array(repeating: .normal, count: count)
    }
    guard values.count == count else {
      throw error(
        .wrongCount, MetadataKey.kinds, wanted: "\(count) kinds, one for each token",
        found: "\(values.count)")
    }
    var kinds: [TokenKind] = []
    kinds.reserveCapacity(count)
    for (index, value) in values.enumerated() {
      guard let rawValue = UInt8(exactly: value), let kind = TokenKind(rawValue: rawValue) else {
        throw error(
          .malformed, MetadataKey.kinds, wanted: "kinds from 0 to 6",
          found: "\(value) as element \(index)")
      }
      kinds.append(kind)
    }
    return kinds
  }

  /// A flag that says whether a token is added; it may not be set where there is no such token.
  func adds(_ key: String, token: Int32?, _ tokenKey: String) throws(TokenizerError) -> Bool {
    guard try flag(key) ?? false else { return false }
    if token == nil {
      throw error(
        .missing, tokenKey, wanted: "the token that \(key) tells to add", found: "no such key")
    }
    return true
  }
}
