package import MoECore

/// Text to tokens and back, as a model file's metadata describes it.
///
/// Byte-level byte-pair encoding: special tokens are cut out of the text, the model's pre-tokenizer
/// cuts the rest into words, and each word's bytes are merged. It loses nothing: decoding what was
/// encoded gives the same bytes. Unchanging once made, so it can be used from any thread.
public final class Tokenizer: Sendable {
  /// How many tokens there are; ids run from 0 to below it.
  public let vocabularySize: Int
  /// The token that begins a sequence, if the model has one; `addsBeginToken` says if it is used.
  public let beginToken: Int32?
  /// The token that ends a sequence, if the model has one.
  public let endToken: Int32?
  /// All tokens at which generation stops, ascending: ends of sequence, turn and message.
  public let endTokens: [Int32]
  public let paddingToken: Int32?
  public let unknownToken: Int32?
  /// Whether `encode` with `addSpecial` begins with `beginToken`.
  public let addsBeginToken: Bool
  /// Whether `encode` with `addSpecial` ends with `endToken`.
  public let addsEndToken: Bool
  /// What was assumed because the file does not say it; sentences for the user.
  public let notes: [String]

  let texts: PackedStrings
  let kinds: [TokenKind]
  let preTokenizer: any PreTokenizer
  let merges: MergeTable
  /// Token of each byte, or `BytePairMerger.noToken`.
  let byteTokens: [Int32]
  /// Recognised when special tokens are parsed: control, unknown and user-defined tokens.
  let specialTokens: SpecialTokens
  /// Recognised always.
  let userDefinedTokens: SpecialTokens

  /// Reads the keys `tokenizer.ggml.*`.
  ///
  /// Throws where a key that is needed is missing, has another type, names something that is not
  /// supported, or where ids, lengths or merges do not fit the vocabulary. A vocabulary may lack
  /// single bytes: in text they become the unknown token or, without one, are left out.
  package init(metadata source: some MetadataSource) throws(TokenizerError) {
    let metadata = TokenizerMetadata(source: source)
    try metadata.requireByteLevelModel()
    (preTokenizer, notes) = try metadata.preTokenizer()

    texts = try metadata.vocabulary()
    vocabularySize = texts.count
    var kinds = try metadata.kinds(count: texts.count)
    let table = TokenTextTable(texts)
    merges = try MergeTable(
      metadata.strings(MetadataKey.merges), tokens: table, metadata: metadata)
    byteTokens = (UInt8.min...UInt8.max).map { byte in
      let text = Array(String(ByteAlphabet.scalar(for: byte)).utf8)
      return table.token(for: text.span) ?? BytePairMerger.noToken
    }

    beginToken = try metadata.token(MetadataKey.beginToken, vocabularySize: texts.count)
    endToken = try metadata.token(MetadataKey.endToken, vocabularySize: texts.count)
    paddingToken = try metadata.token(MetadataKey.paddingToken, vocabularySize: texts.count)
    unknownToken = try metadata.token(MetadataKey.unknownToken, vocabularySize: texts.count)
    addsBeginToken = try metadata.adds(
      MetadataKey.addBeginToken, token: beginToken, MetadataKey.beginToken)
    addsEndToken = try metadata.adds(
      MetadataKey.addEndToken, token: endToken, MetadataKey.endToken)

    let namedEnds = EndOfGeneration.tokens(in: table)
    // Some files call these normal; as such they would be cut up in prompts and shown in answers.
    for token in namedEnds { kinds[Int(token)] = .control }
    var ends = Set(namedEnds)
    for key in EndOfGeneration.keys {
      if let token = try metadata.token(key, vocabularySize: texts.count) { ends.insert(token) }
    }
    endTokens = ends.sorted()

    self.kinds = kinds
    let ids = kinds.indices.map { Int32($0) }
    userDefinedTokens = SpecialTokens(ids.filter { kinds[Int($0)] == .userDefined }, texts: texts)
    specialTokens = SpecialTokens(ids.filter { kinds[Int($0)].isSpecial }, texts: texts)
  }

  /// The text of a token as the vocabulary stores it, printable: a space is `Ġ`. Nil outside the
  /// vocabulary.
  public func text(of token: Int32) -> String? {
    guard kinds.indices.contains(Int(token)) else { return nil }
    return texts.string(at: Int(token))
  }

  /// What the tokenizer keeps in memory, for the memory budget. The texts are counted, although
  /// they may be shared with the metadata they came from.
  package var byteCount: Int {
    let textByteCount = texts.bytes.count + texts.offsets.count * MemoryLayout<Int>.stride
    return textByteCount + kinds.count * MemoryLayout<TokenKind>.stride + merges.byteCount
  }

  /// Whether generation stops at a token.
  public func isEnd(_ token: Int32) -> Bool { endTokens.contains(token) }
}
