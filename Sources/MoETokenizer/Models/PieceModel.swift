import MoECore

/// SentencePiece and its kin (Kudo and Richardson 2018): text is made of pieces of a vocabulary,
/// spaces being characters like others, and not cut into words first.
struct PieceModel: TextModel {
  let text: PieceText
  let pieces: Pieces
  let segmentation: Segmentation

  /// How text is cut into pieces.
  enum Segmentation: Sendable {
    /// The joined piece of the highest score first.
    case scores(ranks: [Int32])
    /// By a list of merges.
    case merges(MergeTable)
    /// The likeliest pieces.
    case likelihoods([Float])
  }

  var addsSpacePrefix: Bool { text.addsSpacePrefix }

  var byteCount: Int {
    let own =
      switch segmentation {
      case .scores(let ranks): ranks.count * MemoryLayout<Int32>.stride
      case .merges(let merges): merges.byteCount
      case .likelihoods(let scores): scores.count * MemoryLayout<Float>.stride
      }
    return own + pieces.table.byteCount + text.byteCount
  }

  func encoder() -> any RunEncoder {
    switch segmentation {
    case .scores(let ranks):
      PieceEncoder(
        text, MergedPieces(pieces, rules: ScoredPieces(pieces: pieces, ranks: ranks)))
    case .merges(let merges): PieceEncoder(text, MergedPieces(pieces, rules: merges))
    case .likelihoods(let scores): PieceEncoder(text, LikeliestPieces(pieces, scores: scores))
    }
  }

  func appendBytes(spelledBy text: ArraySlice<UInt8>, to bytes: inout [UInt8]) {
    PieceText.appendBytes(spelledBy: text, to: &bytes)
  }
}

extension PieceModel {
  /// What files call `llama`: byte-pair encoding by scores.
  static func scored(
    _ metadata: TokenizerMetadata, _ vocabulary: Vocabulary
  ) throws(TokenizerError) -> MadeTextModel {
    let scores = try metadata.scores(count: vocabulary.texts.count)
    let model = try make(
      metadata, vocabulary, .scores(ranks: ScoredPieces.ranks(of: scores)), addsSpacePrefix: true)
    return MadeTextModel(
      model: model,
      defaults: TextModelDefaults(addsBeginToken: true, beginText: "<s>", endText: "</s>"))
  }

  /// What files call `gemma4`: byte-pair encoding of characters by merges.
  static func merged(
    _ metadata: TokenizerMetadata, _ vocabulary: Vocabulary
  ) throws(TokenizerError) -> MadeTextModel {
    let merges = try MergeTable(
      metadata.strings(MetadataKey.merges), tokens: vocabulary.table, metadata: metadata)
    let model = try make(metadata, vocabulary, .merges(merges), addsSpacePrefix: false)
    return MadeTextModel(model: model, defaults: TextModelDefaults(addsBeginToken: true))
  }

  /// What files call `t5`: the unigram model.
  static func likeliest(
    _ metadata: TokenizerMetadata, _ vocabulary: Vocabulary
  ) throws(TokenizerError) -> MadeTextModel {
    let scores = try metadata.scores(count: vocabulary.texts.count)
    let model = try make(metadata, vocabulary, .likelihoods(scores), addsSpacePrefix: true)
    return MadeTextModel(
      model: model, defaults: TextModelDefaults(addsEndToken: true, endText: "</s>"))
  }

  private static func make(
    _ metadata: TokenizerMetadata, _ vocabulary: Vocabulary, _ segmentation: Segmentation,
    addsSpacePrefix: Bool
  ) throws(TokenizerError) -> PieceModel {
    let text = PieceText(
      vocabulary, characterMap: try metadata.characterMap(),
      addsSpacePrefix: try metadata.flag(MetadataKey.addSpacePrefix) ?? addsSpacePrefix,
      removesExtraSpaces: try metadata.flag(MetadataKey.removeExtraSpaces) ?? false)
    return PieceModel(text: text, pieces: Pieces(vocabulary), segmentation: segmentation)
  }
}
