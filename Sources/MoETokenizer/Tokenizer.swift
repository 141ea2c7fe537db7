package import MoECore

/// Text to tokens and back, as a model file's metadata describes it.
///
/// Special tokens are cut out of the text, and the model that the file names (byte-level byte-pair
/// encoding, or one of SentencePiece's) makes tokens of the rest. Unchanging once made, so it can
/// be used from any thread.
public final class Tokenizer: Sendable {
  /// How many tokens there are; ids run from 0 to below it.
  public let vocabularySize: Int
  /// The token that begins a sequence, if the model has one; `addsBeginToken` says if it is used.
  public let beginToken: Int32?
  /// The token that ends a sequence, if the model has one; the first where the file has several.
  public let endToken: Int32?
  /// All tokens at which generation stops, ascending: ends of sequence, turn and message.
  public let endTokens: [Int32]
  public let paddingToken: Int32?
  public let unknownToken: Int32?
  /// Whether `encode` with `addSpecial` begins with `beginToken`.
  public let addsBeginToken: Bool
  /// Whether `encode` with `addSpecial` ends with `endToken`.
  public let addsEndToken: Bool
  /// What was assumed because the file does not say it, and what in it was passed over; sentences
  /// for the user.
  public let notes: [String]

  let texts: PackedStrings
  let kinds: [TokenKind]
  let model: any TextModel
  /// Recognised in markup: control, unknown and user-defined tokens.
  let specialTokens: SpecialTokens
  /// Recognised always.
  let userDefinedTokens: SpecialTokens

  /// Reads the keys `tokenizer.ggml.*`.
  ///
  /// Throws where a key that is needed is missing, has another type, names something that is not
  /// supported, or where lengths, scores or merges do not fit the vocabulary. A vocabulary may lack
  /// single bytes: in text they become the unknown token or, without one, are left out.
  package init(metadata source: any MetadataSource) throws(TokenizerError) {
    let metadata = TokenizerMetadata(source: source)
    let entry = try metadata.textModel()
    let texts = try metadata.vocabulary()
    var kinds = try metadata.kinds(count: texts.count)
    let table = TokenTextTable(texts)
    let named = try NamedTokens(metadata, vocabularySize: texts.count)
    let namedEnds = EndOfGeneration.tokens(in: table)
    // Some files call these normal; as such they would be cut up in prompts and shown in answers.
    for token in namedEnds { kinds[Int(token)] = .control }
    if named.unknown == nil, !kinds.contains(.unknown), let text = entry.unknownText,
      let token = table.token(for: Array(text.utf8).span)
    {
      kinds[Int(token)] = .unknown
    }
    endTokens = Set(namedEnds + named.ends).sorted()

    let made = try entry.make(
      metadata,
      Vocabulary(texts: texts, kinds: kinds, table: table, unknownToken: named.unknown))
    model = made.model
    notes = made.notes + named.notes
    func token(_ text: String?) -> Int32? { text.flatMap { table.token(for: Array($0.utf8).span) } }
    beginToken = named.begin ?? token(made.defaults.beginText)
    endToken = named.end ?? token(made.defaults.endText)
    paddingToken = named.padding
    unknownToken = named.unknown
    addsBeginToken = try named.adds(
      MetadataKey.addBeginToken, token: beginToken, MetadataKey.beginToken,
      byDefault: made.defaults.addsBeginToken, metadata)
    addsEndToken = try named.adds(
      MetadataKey.addEndToken, token: endToken, MetadataKey.endToken,
      byDefault: made.defaults.addsEndToken, metadata)

    vocabularySize = texts.count
    self.texts = texts
    self.kinds = kinds
    let ids = kinds.indices.map { Int32($0) }
    let special = ids.filter { kinds[Int($0)].isSpecial }
    let strippingLeft = try metadata.tokensStrippingLeft()
    let strippingRight = try metadata.tokensStrippingRight(special, texts: texts)
    userDefinedTokens = SpecialTokens(
      ids.filter { kinds[Int($0)] == .userDefined }, texts: texts, strippingLeft: strippingLeft,
      strippingRight: strippingRight)
    specialTokens = SpecialTokens(
      special, texts: texts, strippingLeft: strippingLeft, strippingRight: strippingRight)
  }

  /// The text of a token as the vocabulary stores it, printable: a space is `Ġ` or `▁`. Nil
  /// outside the vocabulary.
  public func text(of token: Int32) -> String? {
    guard kinds.indices.contains(Int(token)) else { return nil }
    return texts.string(at: Int(token))
  }

  /// What the tokenizer keeps in memory, for the memory budget. The texts are counted, although
  /// they may be shared with the metadata they came from.
  package var byteCount: Int {
    let textByteCount = texts.bytes.count + texts.offsets.count * MemoryLayout<Int>.stride
    return textByteCount + kinds.count * MemoryLayout<TokenKind>.stride + model.byteCount
  }

  /// Whether generation stops at a token.
  public func isEnd(_ token: Int32) -> Bool { endTokens.contains(token) }
}
