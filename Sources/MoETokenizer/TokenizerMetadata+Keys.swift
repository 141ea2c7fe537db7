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
  static let endTokens = "tokenizer.ggml.eos_token_ids"
  static let endOfTurnToken = "tokenizer.ggml.eot_token_id"
  static let endOfMessageToken = "tokenizer.ggml.eom_token_id"
  static let paddingToken = "tokenizer.ggml.padding_token_id"
  static let unknownToken = "tokenizer.ggml.unknown_token_id"
  static let addBeginToken = "tokenizer.ggml.add_bos_token"
  static let addEndToken = "tokenizer.ggml.add_eos_token"
  static let addSpacePrefix = "tokenizer.ggml.add_space_prefix"
  static let removeExtraSpaces = "tokenizer.ggml.remove_extra_whitespaces"
  static let characterMap = "tokenizer.ggml.precompiled_charsmap"
  // Of published tokenizers, whose file has what a GGUF file names.
  static let expressions = "tokenizer.expressions"
  static let expressionsDropGaps = "tokenizer.expressions_drop_gaps"
  static let ignoresMerges = "tokenizer.ignores_merges"
  static let normalForm = "tokenizer.normal_form"
  static let tokensStrippingLeft = "tokenizer.tokens_stripping_left"
  static let tokensStrippingRight = "tokenizer.tokens_stripping_right"
  static let modelName = "general.name"
  static let family = "general.architecture"
}

extension TokenizerMetadata {
  func textModel() throws(TokenizerError) -> TextModelEntry {
    guard let model = try string(MetadataKey.model) else {
      throw error(
        .missing, MetadataKey.model, wanted: "the kind of tokenizer", found: "no such key")
    }
    let preTokenizer = try string(MetadataKey.preTokenizer)
    if let entry = TextModelRegistry.all.first(where: { $0.isMeant(by: preTokenizer) }) {
      return entry
    }
    guard let entry = TextModelRegistry.all.first(where: { $0.name == model }) else {
      throw error(
        .unsupported, MetadataKey.model,
        wanted: "one of: \(TextModelRegistry.names.joined(separator: ", "))",
        found: model.quotedForMessage, advice: "choose a model with one of these tokenizers")
    }
    return entry
  }

  /// How words are found, as the model's own file says it or by the name that a file gives it.
  func wordRules() throws(TokenizerError) -> WordRules {
    if let expressions = try ownExpressions() {
      return WordRules(
        preTokenizer: try preTokenizer(expressions, MetadataKey.expressions),
        keepsWholeWords: try flag(MetadataKey.ignoresMerges) ?? false)
    }
    let (entry, notes) = try preTokenizerEntry()
    return WordRules(
      preTokenizer: try preTokenizer(
        entry.expressions.map { (text: $0, dropsGaps: false) }, MetadataKey.preTokenizer),
      keepsWholeWords: entry.keepsWholeWords, addsBeginToken: entry.addsBeginToken, notes: notes)
  }

  private func preTokenizer(
    _ expressions: [(text: String, dropsGaps: Bool)], _ key: String
  ) throws(TokenizerError) -> PreTokenizer {
    do {
      return try PreTokenizer(expressions)
    } catch {
      throw self.error(
        .unsupported, key, wanted: "expressions that can be read",
        found: "one that \(error.problem)", advice: "choose a file with another tokenizer")
    }
  }

  /// The expressions of a published tokenizer; nil where the metadata has none.
  private func ownExpressions() throws(TokenizerError) -> [(text: String, dropsGaps: Bool)]? {
    let key = MetadataKey.expressions
    guard source.value(forKey: key) != nil else { return nil }
    let texts = try strings(key)
    var drops = [Bool](repeating: false, count: texts.count)
    if case .array(.bool(let flags)) = source.value(forKey: MetadataKey.expressionsDropGaps) {
      guard flags.count == texts.count else {
        throw error(
          .wrongCount, MetadataKey.expressionsDropGaps, wanted: "\(texts.count) flags",
          found: "\(flags.count)")
      }
      drops = flags
    }
    return drops.indices.map { (text: texts.string(at: $0), dropsGaps: drops[$0]) }
  }

  /// The registry's pre-tokenizer and, where the file names none, a note of what was assumed.
  private func preTokenizerEntry() throws(TokenizerError) -> (PreTokenizerEntry, notes: [String]) {
    if case .string(let family) = source.value(forKey: MetadataKey.family),
      let entry = PreTokenizerRegistry.all.first(where: { $0.families.contains(family) })
    {
      return (entry, [])
    }
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

  /// Whether text is brought to Unicode's normal form C.
  func normalizes() throws(TokenizerError) -> Bool {
    guard let form = try string(MetadataKey.normalForm) else { return false }
    guard form == "NFC" else {
      throw error(
        .unsupported, MetadataKey.normalForm, wanted: "NFC", found: form.quotedForMessage)
    }
    return true
  }

  /// What characters are replaced by; nil where they stay as they are.
  func characterMap() throws(TokenizerError) -> CharacterMap? {
    let key = MetadataKey.characterMap
    guard let values = try integers(key) else { return nil }
    guard values.allSatisfy({ (-128...255).contains($0) }) else {
      throw error(.outOfRange, key, wanted: "bytes", found: "other numbers")
    }
    guard let map = CharacterMap(values.map { UInt8(truncatingIfNeeded: $0) }) else {
      throw error(
        .malformed, key, wanted: "a trie and its texts", found: "\(values.count) other bytes")
    }
    return map
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

  /// Which special tokens take the white space before them away.
  func tokensStrippingLeft() throws(TokenizerError) -> Set<Int32> {
    Set(try ids(MetadataKey.tokensStrippingLeft).compactMap { Int32(exactly: $0) })
  }

  /// Which special tokens take the white space after them away. GGUF files don't say it; those of
  /// Phi-3 do it, whose templates have a line break there that the model was not trained with.
  func tokensStrippingRight(
    _ special: [Int32], texts: PackedStrings
  ) throws(TokenizerError) -> Set<Int32> {
    if source.value(forKey: MetadataKey.tokensStrippingRight) != nil {
      return Set(try ids(MetadataKey.tokensStrippingRight).compactMap { Int32(exactly: $0) })
    }
    guard case .string(let value) = source.value(forKey: MetadataKey.modelName) else { return [] }
    let name = value.lowercased()
    guard name.contains("phi-3") || name.contains("phi3") else { return [] }
    let exceptions = ["<unk>", "<s>", "<|endoftext|>"].map { Array($0.utf8) }
    return Set(special.filter { token in !exceptions.contains { $0[...] == texts[Int(token)] } })
  }
}

/// How a byte-level model finds words.
struct WordRules {
  let preTokenizer: PreTokenizer
  /// Whether a word that is a token becomes it without merges.
  let keepsWholeWords: Bool
  /// Whether texts begin with the begin token where the file does not say.
  var addsBeginToken = false
  /// What was assumed because the file does not say it.
  var notes: [String] = []
}
