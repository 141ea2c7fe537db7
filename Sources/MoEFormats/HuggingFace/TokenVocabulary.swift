import MoECore

/// The tokens of a `tokenizer.json` by their ids, as they are read.
struct TokenVocabulary {
  /// All texts, in the order of the file.
  private var texts = PackedStrings()
  private var ids: [Int] = []
  private var scores: [Float] = []
  /// Where each id's text is; -1 for none.
  private var places: [Int] = []
  /// Ids of texts, made when somebody asks.
  private var idsByText: [String: Int] = [:]

  private static let idMax = 1 << 24

  /// One more than the largest id.
  var count: Int { places.count }

  /// An object of texts and ids, or an array of texts and scores.
  mutating func read(_ reader: inout JSONReader) throws(JSONError) {
    var text: [UInt8] = []
    if try reader.kind() == .array {
      try reader.beginArray()
      while try reader.hasElement() {
        text.removeAll(keepingCapacity: true)
        try reader.beginArray()
        guard try reader.hasElement() else { throw reader.error("a token") }
        try reader.string(appendingTo: &text)
        guard try reader.hasElement() else { throw reader.error("a token's score") }
        let score = Float(try reader.number())
        guard try !reader.hasElement() else { throw reader.error("a token and its score") }
        append(text[...], id: ids.count, score: score)
      }
      return
    }
    try reader.beginObject()
    while try reader.nextName(appendingTo: &text) {
      let id = try reader.integer()
      guard (0...Self.idMax).contains(id) else { throw reader.error("an id below 2^24") }
      append(text[...], id: id, score: 0)
      text.removeAll(keepingCapacity: true)
    }
  }

  /// Puts an added token in, or renames the one that has its id.
  mutating func add(_ token: TokenizerJSON.AddedToken, path: String) throws(FormatError) {
    guard (0...Self.idMax).contains(token.id) else {
      throw FormatError(
        .malformed, path: path, subject: "added_tokens", wanted: "ids below 2^24",
        found: "\(token.id)")
    }
    append(Array(token.text.utf8)[...], id: token.id, score: 0)
  }

  func contains(_ id: Int) -> Bool { places.indices.contains(id) && places[id] >= 0 }

  /// Makes room for the ids that a model has rows for, beyond the tokens that there are.
  mutating func pad(to count: Int) {
    while places.count < min(count, Self.idMax) { places.append(-1) }
  }

  func id(of text: String) -> Int? {
    let bytes = Array(text.utf8)
    return places.firstIndex { $0 >= 0 && texts[$0].elementsEqual(bytes) }
  }

  /// Texts and scores by id. Ids that no token has are unused tokens with names of their own.
  func inOrder(path: String) throws(FormatError) -> (PackedStrings, [Float]) {
    guard places.count > 0 else {
      throw FormatError(.malformed, path: path, wanted: "a vocabulary", found: "none")
    }
    var ordered = PackedStrings()
    ordered.reserveCapacity(count: places.count, byteCount: texts.bytes.count)
    for (id, place) in places.enumerated() {
      if place >= 0 {
        ordered.append(texts[place])
      } else {
        ordered.append(Array("[PAD\(id)]".utf8)[...])
      }
    }
    return (ordered, places.map { $0 >= 0 ? scores[$0] : 0 })
  }

  private mutating func append(_ text: ArraySlice<UInt8>, id: Int, score: Float) {
    while places.count <= id { places.append(-1) }
    places[id] = texts.count
    texts.append(text)
    ids.append(id)
    scores.append(score)
  }
}
