import MoECore

/// Byte-level byte-pair encoding, which files call `gpt2` whatever model it is of.
///
/// The model's pre-tokenizer cuts text into words, and the bytes of each word are merged. As files
/// in GGUF have it, nothing is lost: decoding what was encoded gives the same bytes. A published
/// tokenizer may compose characters first, or leave something between words out.
struct ByteLevelModel: TextModel {
  let preTokenizer: PreTokenizer
  /// Whether text is brought to Unicode's normal form C first.
  let normalizes: Bool
  let merges: MergeTable
  /// Token of each byte, or `PairMerger.noToken`.
  let byteTokens: [Int32]
  /// Stands for bytes that the vocabulary lacks; without it they are left out.
  let unknownToken: Int32?
  /// Finds words that are tokens as they are; nil where the model merges these like any other.
  let wholeWords: WholeWords?

  var addsSpacePrefix: Bool { false }
  var byteCount: Int {
    preTokenizer.byteCount + merges.byteCount + (wholeWords?.byteCount ?? 0)
  }

  static func make(
    _ metadata: TokenizerMetadata, _ vocabulary: Vocabulary
  ) throws(TokenizerError) -> MadeTextModel {
    let rules = try metadata.wordRules()
    let table = vocabulary.table
    let model = ByteLevelModel(
      preTokenizer: rules.preTokenizer, normalizes: try metadata.normalizes(),
      merges: try MergeTable(
        metadata.strings(MetadataKey.merges), tokens: table, metadata: metadata),
      byteTokens: (UInt8.min...UInt8.max).map { byte in
        table.token(for: Array(String(ByteAlphabet.scalar(for: byte)).utf8).span) ?? -1
      },
      unknownToken: vocabulary.unknownToken,
      wholeWords: rules.keepsWholeWords
        ? WholeWords(table: table, kinds: vocabulary.kinds) : nil)
    let defaults = TextModelDefaults(addsBeginToken: rules.addsBeginToken)
    return MadeTextModel(model: model, defaults: defaults, notes: rules.notes)
  }

  func encoder() -> any RunEncoder { ByteLevelEncoder(self) }

  /// Appends the bytes that the characters of a normal token stand for, or, if one of them stands
  /// for none (added words in plain spelling), the text as it is.
  func appendBytes(spelledBy text: ArraySlice<UInt8>, to bytes: inout [UInt8]) {
    let countBefore = bytes.count
    let span = text.span
    var index = 0
    while index < span.count {
      let (scalar, byteCount) = span.scalar(at: index)
      guard let byte = ByteAlphabet.byte(for: scalar) else {
        bytes.removeSubrange(countBefore...)
        bytes.append(contentsOf: text)
        return
      }
      bytes.append(byte)
      index += byteCount
    }
  }
}

private struct ByteLevelEncoder: RunEncoder {
  private let model: ByteLevelModel
  private var cutter: WordCutter
  private var merger: PairMerger<MergeTable>
  private var cache: WordCache?
  /// A word in the byte alphabet.
  private var spelling: [UInt8] = []

  init(_ model: ByteLevelModel) {
    self.model = model
    cutter = WordCutter(model.preTokenizer)
    merger = PairMerger(rules: model.merges)
  }

  mutating func append(_ run: Span<UInt8>, to tokens: inout [Int32]) {
    if model.normalizes, let normalized = NormalForm.composed(run) {
      appendWords(of: normalized.span, to: &tokens)
    } else {
      appendWords(of: run, to: &tokens)
    }
  }

  private mutating func appendWords(of run: Span<UInt8>, to tokens: inout [Int32]) {
    if cache == nil { cache = WordCache(textByteCount: run.count) }
    cutter.begin(byteCount: run.count)
    while let range = cutter.next(in: run) {
      let word = run.extracting(range)
      if cache?.append(word, to: &tokens) == true { continue }
      let start = tokens.count
      append(word: word, to: &tokens)
      cache?.remember(word, tokens, from: start)
    }
  }

  private mutating func append(word: Span<UInt8>, to tokens: inout [Int32]) {
    if let token = model.wholeWords?.token(for: word, scratch: &spelling) {
      tokens.append(token)
      return
    }
    merger.begin()
    for index in word.indices {
      merger.append(token: model.byteTokens[Int(word[index])], byteCount: 1)
    }
    merger.merge(word)
    var index = 0
    while index < word.count {
      let (token, end) = merger.symbol(at: index)
      if token >= 0 {
        tokens.append(token)
      } else if let unknownToken = model.unknownToken {
        tokens.append(unknownToken)
      }
      index = end
    }
  }
}

/// Words that are tokens without any merging, as in Llama 3: its merges do not reach all of them.
struct WholeWords: Sendable {
  let table: TokenTextTable
  let kinds: [TokenKind]

  var byteCount: Int { table.byteCount }

  /// The token of a word, given as plain bytes; never a control token.
  func token(for word: Span<UInt8>, scratch: inout [UInt8]) -> Int32? {
    // A byte takes one or two bytes in the byte alphabet.
    guard word.count <= table.textByteCountMax else { return nil }
    scratch.removeAll(keepingCapacity: true)
    for index in word.indices {
      let scalar = ByteAlphabet.scalar(for: word[index]).value
      if scalar < 0x80 {
        scratch.append(UInt8(scalar))
      } else {
        scratch.append(UInt8(0xC0 | scalar >> 6))
        scratch.append(UInt8(0x80 | scalar & 0x3F))
      }
    }
    guard let token = table.token(for: scratch.span), kinds[Int(token)].isText else { return nil }
    return token
  }
}
