import MoECore

/// One way of making tokens of text: what `tokenizer.ggml.model` names.
protocol TextModel: Sendable {
  /// An encoder with scratch of its own.
  func encoder() -> any RunEncoder

  /// Appends the bytes that the text of a normal token stands for.
  func appendBytes(spelledBy text: ArraySlice<UInt8>, to bytes: inout [UInt8])

  /// Whether each run of text is encoded with a space before it, which decoding takes away.
  var addsSpacePrefix: Bool { get }

  /// What the model keeps in memory besides the vocabulary's texts and kinds.
  var byteCount: Int { get }
}

/// Makes tokens of runs of text: what lies between two special tokens. Keeps its scratch from run
/// to run.
protocol RunEncoder {
  /// `run` is UTF-8 and not empty.
  mutating func append(_ run: Span<UInt8>, to tokens: inout [Int32])
}

/// The tokens of a file, as its text model sees them.
struct Vocabulary {
  let texts: PackedStrings
  let kinds: [TokenKind]
  let table: TokenTextTable
  let unknownToken: Int32?
}

/// What a text model takes for granted where the file does not say it.
struct TextModelDefaults {
  var addsBeginToken = false
  var addsEndToken = false
  /// Texts of the tokens that begin and end a sequence where the file names no ids.
  var beginText: String?
  var endText: String?
}

/// A text model by the name that `tokenizer.ggml.model` gives it.
struct TextModelEntry: Sendable {
  let name: String
  let summary: String
  /// A pre-tokenizer that goes with this model alone: files that name it mean the model, whatever
  /// they call it.
  var preTokenizer: String?
  /// The unknown token's text, where files of this kind may list it among normal ones.
  var unknownText: String?
  /// The model, what it takes for granted, and notes of what was assumed.
  let make: @Sendable (TokenizerMetadata, Vocabulary) throws(TokenizerError) -> MadeTextModel

  /// - Parameter name: What a file calls its pre-tokenizer.
  func isMeant(by name: String?) -> Bool { name != nil && name == preTokenizer }
}

struct MadeTextModel {
  let model: any TextModel
  var defaults = TextModelDefaults()
  var notes: [String] = []
}

/// Every text model there is, one line each.
enum TextModelRegistry {
  static let all: [TextModelEntry] = [
    TextModelEntry(name: "gpt2", summary: "Byte-pair encoding of bytes.") {
      (metadata, vocabulary) throws(TokenizerError) in
      try ByteLevelModel.make(metadata, vocabulary)
    },
    TextModelEntry(name: "llama", summary: "SentencePiece: byte-pair encoding by scores.") {
      (metadata, vocabulary) throws(TokenizerError) in
      try PieceModel.scored(metadata, vocabulary)
    },
    TextModelEntry(
      name: "gemma4", summary: "Byte-pair encoding of characters, by merges.",
      preTokenizer: "gemma4", unknownText: "<unk>"
    ) {
      (metadata, vocabulary) throws(TokenizerError) in
      try PieceModel.merged(metadata, vocabulary)
    },
    TextModelEntry(name: "t5", summary: "SentencePiece: the likeliest pieces (unigram).") {
      (metadata, vocabulary) throws(TokenizerError) in
      try PieceModel.likeliest(metadata, vocabulary)
    },
  ]

  static var names: [String] { all.map(\.name) }
}
