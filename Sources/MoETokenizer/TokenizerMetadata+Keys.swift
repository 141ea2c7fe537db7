import MoECore

enum MetadataKey {
  static let model = "tokenizer.ggml.model"
  static let preTokenizer = "tokenizer.ggml.pre"
  static let tokens = "tokenizer.ggml.tokens"
  static let scores = "tokenizer.ggml.scores"
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
  static let addSpacePrefix = "tokenizer.ggml.add_space_prefix"
  static let removeExtraSpaces = "tokenizer.ggml.remove_extra_whitespaces"
  static let modelName = "general.name"
}

extension TokenizerMetadata {
  func textModel() throws(TokenizerError) -> TextModelEntry {
    guard let model = try string(MetadataKey.model) else {
      throw error(
        .missing, MetadataKey.model, wanted: "the kind of tokenizer", found: "no such key")
    }
    guard let entry = TextModelRegistry.all.first(where: { $0.name == model }) else {
      throw error(
        .unsupported, MetadataKey.model,
        wanted: "one of: \(TextModelRegistry.names.joined(separator: ", "))",
        found: model.quotedForMessage, advice: "choose a model with one of these tokenizers")
    }
    return entry
  }

  /// The pre-tokenizer and, where the file names none, a note of what was assumed.
  func preTokenizer() throws(TokenizerError) -> (PreTokenizerEntry, notes: [String]) {
    var name = try string(MetadataKey.preTokenizer)
    if name == PreTokenizerRegistry.unnamed { name = nil }
    guard let entry = PreTokenizerRegistry.entry(named: name ?? PreTokenizerRegistry.defaultName)
    else {
      throw error(
        .unsupported, MetadataKey.preTokenizer,
        wanted: "one of: \(PreTokenizerRegistry.names.joined(separator: ", "))",
        found: (name ?? "").quotedForMessage,
        advice: "choose a model with one of these pre-tokenizers")
    }
    if name != nil { return (entry, []) }
    let note = """
      \(source.sourceName) names no \(MetadataKey.preTokenizer): text is split as \
      \(entry.name) does, and if the model was trained otherwise its answers suffer
      """
    return (entry, [note])
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

  /// What decides which pieces join first; NaN would leave it open.
  func scores(count: Int) throws(TokenizerError) -> [Float] {
    guard count < joinRankLimit else {
      throw error(
        .wrongCount, MetadataKey.tokens, wanted: "fewer than \(joinRankLimit) tokens",
        found: "\(count)")
    }
    return try floats(MetadataKey.scores, count: count)
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

  /// Which special tokens take the white space after them away: those of Phi-3, whose templates
  /// have a line break there that the model was not trained with. Files don't say so but by name.
  func tokensSwallowingSpace(
    _ special: [Int32], texts: PackedStrings
  ) -> Set<Int32> {
    guard case .string(let value) = source.value(forKey: MetadataKey.modelName) else { return [] }
    let name = value.lowercased()
    guard name.contains("phi-3") || name.contains("phi3") else { return [] }
    let exceptions = ["<unk>", "<s>", "<|endoftext|>"].map { Array($0.utf8) }
    return Set(special.filter { token in !exceptions.contains { $0[...] == texts[Int(token)] } })
  }
}
