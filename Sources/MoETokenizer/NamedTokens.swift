import MoECore

/// The special tokens that a file names by id: where sequences begin and end, and others.
///
/// Files in use have ids that mean "none" (-1, 2³²-1) and ids of tokens that were cut off the
/// vocabulary. Neither matters until the token is needed, so they become notes.
struct NamedTokens {
  let begin: Int32?
  let end: Int32?
  let padding: Int32?
  let unknown: Int32?
  /// All tokens that the file says generation ends at: of sequence, of turn, of message.
  let ends: [Int32]
  /// What is wrong with ids that are not needed; sentences for the user.
  private(set) var notes: [String] = []
  /// Ids outside the vocabulary, by key, for the error if one is needed after all.
  private var outside: [String: Int] = [:]

  init(_ metadata: TokenizerMetadata, vocabularySize: Int) throws(TokenizerError) {
    var reader = Reader(metadata: metadata, vocabularySize: vocabularySize)
    begin = try reader.tokens(MetadataKey.beginToken).first
    padding = try reader.tokens(MetadataKey.paddingToken).first
    unknown = try reader.tokens(MetadataKey.unknownToken).first
    let endsOfSequence = try reader.tokens(MetadataKey.endToken)
    end = endsOfSequence.first
    ends =
      try endsOfSequence + reader.tokens(MetadataKey.endTokens)
      + reader.tokens(MetadataKey.endOfTurnToken)
      + reader.tokens(MetadataKey.endOfMessageToken)
    notes = reader.notes
    outside = reader.outside
  }

  /// Whether the flag under `key` tells to add a token; it may not be set where there is none.
  func adds(
    _ key: String, token: Int32?, _ tokenKey: String, byDefault: Bool,
    _ metadata: TokenizerMetadata
  ) throws(TokenizerError) -> Bool {
    guard let flag = try metadata.flag(key) else { return byDefault && token != nil }
    guard flag, token == nil else { return flag }
    let wanted = "the token that \(key) tells to add"
    if let id = outside[tokenKey] {
      throw metadata.error(.outOfRange, tokenKey, wanted: wanted, found: "\(id)")
    }
    throw metadata.error(.missing, tokenKey, wanted: wanted, found: "none")
  }

  private struct Reader {
    let metadata: TokenizerMetadata
    let vocabularySize: Int
    var notes: [String] = []
    var outside: [String: Int] = [:]

    /// The tokens under a key that are in the vocabulary.
    mutating func tokens(_ key: String) throws(TokenizerError) -> [Int32] {
      var tokens: [Int32] = []
      for id in try metadata.ids(key) {
        if id >= 0, id < vocabularySize, let token = Int32(exactly: id) {
          tokens.append(token)
        } else {
          note(key, id)
        }
      }
      return tokens
    }

    private mutating func note(_ key: String, _ id: Int) {
      let isNone = id == -1 || id == Int(UInt32.max)
      let why =
        isNone ? "which means none" : "outside its vocabulary of \(vocabularySize) tokens"
      notes.append("\(metadata.source.sourceName): \(key) is \(id), \(why); it is not used")
      if !isNone { outside[key] = id }
    }
  }
}
