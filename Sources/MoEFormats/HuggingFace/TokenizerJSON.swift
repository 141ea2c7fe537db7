import MoECore

/// `tokenizer.json`, the file of Hugging Face's `tokenizers`, as the metadata of a GGUF file would
/// have it.
///
/// The file is a pipeline: added tokens are cut out, what is left is normalised, cut into words,
/// and these are made of tokens. Steps that mean what a tokenizer here does become its keys; any
/// other step is refused by name.
struct TokenizerJSON {
  /// What was read, by the keys of `tokenizer.ggml.` and `tokenizer.`.
  private(set) var values: [String: MetadataValue] = [:]

  private let path: String
  private let tokenCount: Int
  private var vocabulary = TokenVocabulary()
  private var added: [AddedToken] = []
  private var model = Model()
  private var normalizer: JSONTree?
  private var preTokenizer: JSONTree?
  private var postProcessor: JSONTree?

  struct AddedToken {
    var id = -1
    var text = ""
    var isSpecial = false
    /// Whether white space before it, or behind it, goes.
    var stripsLeft = false
    var stripsRight = false
  }

  private struct Model {
    var type = "BPE"
    var unknownText: String?
    var unknownID: Int?
    var fallsBackToBytes = false
    var ignoresMerges = false
    var merges = PackedStrings()
    /// What must be absent or empty.
    var affixes: [String] = []
  }

  /// Larger files are none: the largest published ones have some 35 MiB.
  static let byteCountMax = 256 << 20

  /// - Parameter tokenCount: Rows of the model's embedding, which may be more than there are
  /// tokens.
  init(_ bytes: [UInt8], path: String, tokenCount: Int) throws(FormatError) {
    self.path = path
    self.tokenCount = tokenCount
    var reader = JSONReader(bytes)
    do throws(JSONError) {
      try reader.beginObject()
      while let name = try reader.nextName() {
        switch name {
        case "added_tokens": try readAddedTokens(&reader)
        case "model": try readModel(&reader)
        case "normalizer": normalizer = try JSONTree(&reader)
        case "pre_tokenizer": preTokenizer = try JSONTree(&reader)
        case "post_processor": postProcessor = try JSONTree(&reader)
        default: try reader.skip()
        }
      }
      try reader.end()
    } catch {
      throw .malformed(error, path: path)
    }
    try makeValues()
  }

  private mutating func readAddedTokens(_ reader: inout JSONReader) throws(JSONError) {
    if reader.takeNull() { return }
    try reader.beginArray()
    while try reader.hasElement() {
      let tree = try JSONTree(&reader)
      guard let id = tree["id"]?.integer, let text = tree["content"]?.string else {
        throw reader.error("an added token with id and content")
      }
      added.append(
        AddedToken(
          id: id, text: text, isSpecial: tree["special"]?.bool ?? false,
          stripsLeft: tree["lstrip"]?.bool ?? false, stripsRight: tree["rstrip"]?.bool ?? false))
    }
  }

  private mutating func readModel(_ reader: inout JSONReader) throws(JSONError) {
    try reader.beginObject()
    while let name = try reader.nextName() {
      switch name {
      case "type": model.type = try reader.string()
      case "vocab": try vocabulary.read(&reader)
      case "merges": try readMerges(&reader)
      case "unk_token":
        if !reader.takeNull() { model.unknownText = try reader.string() }
      case "unk_id": if !reader.takeNull() { model.unknownID = try reader.integer() }
      case "byte_fallback":
        if !reader.takeNull() { model.fallsBackToBytes = try reader.bool() }
      case "ignore_merges": if !reader.takeNull() { model.ignoresMerges = try reader.bool() }
      case "continuing_subword_prefix", "end_of_word_suffix":
        if !reader.takeNull(), case let text = try reader.string(), !text.isEmpty {
          model.affixes.append(name)
        }
      default: try reader.skip()
      }
    }
  }

  /// Merges are two texts, or one with a space between them in older files.
  private mutating func readMerges(_ reader: inout JSONReader) throws(JSONError) {
    var text: [UInt8] = []
    try reader.beginArray()
    while try reader.hasElement() {
      text.removeAll(keepingCapacity: true)
      if try reader.kind() == .array {
        try reader.beginArray()
        var count = 0
        while try reader.hasElement() {
          if count > 0 { text.append(UInt8(ascii: " ")) }
          try reader.string(appendingTo: &text)
          count += 1
        }
      } else {
        try reader.string(appendingTo: &text)
      }
      model.merges.append(text[...])
    }
  }

  private mutating func makeValues() throws(FormatError) {
    if let affix = model.affixes.first { throw unsupported("\(affix) of the model", "none") }
    let steps = try TokenizerSteps(
      normalizer: normalizer, preTokenizer: preTokenizer, path: path)
    switch model.type {
    case "BPE" where steps.isByteLevel:
      set("model", .string("gpt2"))
      values["tokenizer.expressions"] = .array(.strings(steps.expressions))
      values["tokenizer.expressions_drop_gaps"] = .array(.bool(steps.dropsGaps))
      values["tokenizer.ignores_merges"] = .bool(model.ignoresMerges)
    case "BPE": set("model", .string("gemma4"))
    case "Unigram": set("model", .string("t5"))
    case let other: throw unsupported("the model \(other.quotedForMessage)", "BPE or Unigram")
    }
    if model.type == "BPE" { set("merges", .array(.strings(model.merges))) }
    if !steps.isByteLevel {
      set("add_space_prefix", .bool(steps.addsSpacePrefix))
      set("remove_extra_whitespaces", .bool(steps.removesExtraSpaces))
      if let map = steps.characterMap {
        set("precompiled_charsmap", .array(.unsigned(map.map { UInt64($0) })))
      }
    }
    if let form = steps.normalForm { values["tokenizer.normal_form"] = .string(form) }
    try setTokens()
    try setEnds()
  }

  private mutating func setTokens() throws(FormatError) {
    for token in added { try vocabulary.add(token, path: path) }
    vocabulary.pad(to: tokenCount)
    let (texts, scores) = try vocabulary.inOrder(path: path)
    var kinds = [Int64](repeating: 1, count: texts.count)
    for id in kinds.indices where !vocabulary.contains(id) { kinds[id] = 5 }
    let unknown = try unknownID()
    if let unknown { kinds[unknown] = 2 }
    for token in added where token.id != unknown {
      kinds[token.id] = token.isSpecial ? 3 : 4
    }
    if model.fallsBackToBytes {
      for id in kinds.indices where kinds[id] == 1 && texts[id].isByteName { kinds[id] = 6 }
    }
    set("tokens", .array(.strings(texts)))
    set("token_type", .array(.signed(kinds)))
    if model.type == "Unigram" { set("scores", .array(.float(scores))) }
    if let unknown { set("unknown_token_id", .unsigned(UInt64(unknown))) }
    let strips = { (side: KeyPath<AddedToken, Bool>, added: [AddedToken]) -> MetadataValue? in
      let ids = added.filter { $0[keyPath: side] }.map { UInt64($0.id) }
      return ids.isEmpty ? nil : .array(.unsigned(ids))
    }
    values["tokenizer.tokens_stripping_left"] = strips(\.stripsLeft, added)
    values["tokenizer.tokens_stripping_right"] = strips(\.stripsRight, added)
  }

  private func unknownID() throws(FormatError) -> Int? {
    if let id = model.unknownID {
      guard (0..<vocabulary.count).contains(id) else {
        throw FormatError(
          .malformed, path: path, subject: "unk_id", wanted: "a token's id", found: "\(id)")
      }
      return id
    }
    return model.unknownText.flatMap { vocabulary.id(of: $0) }
  }

  /// Which tokens a template puts around a text.
  private mutating func setEnds() throws(FormatError) {
    guard
      let template = TokenizerSteps.parts(of: postProcessor, "processors").first(where: {
        $0["type"]?.string == "TemplateProcessing"
      })
    else { return }
    var before: [Int] = []
    var after: [Int] = []
    var isBehindText = false
    for part in template["single"]?.array ?? [] {
      if part["Sequence"] != nil { isBehindText = true }
      guard let name = part["SpecialToken"]?["id"]?.string else { continue }
      let ids = template["special_tokens"]?[name]?["ids"]?.array?.compactMap(\.integer) ?? []
      if isBehindText { after += ids } else { before += ids }
    }
    guard before.count < 2, after.count < 2,
      (before + after).allSatisfy({ (0..<vocabulary.count).contains($0) })
    else { throw unsupported("a template with several tokens at an end of the text", "one") }
    set("add_bos_token", .bool(!before.isEmpty))
    set("add_eos_token", .bool(!after.isEmpty))
    if let id = before.first { set("bos_token_id", .unsigned(UInt64(id))) }
    if let id = after.first { set("eos_token_id", .unsigned(UInt64(id))) }
  }

  /// The id of a token by its text, as other files of the model name it.
  func id(of text: String) -> Int? { vocabulary.id(of: text) }

  private mutating func set(_ key: String, _ value: MetadataValue) {
    values["tokenizer.ggml.\(key)"] = value
  }

  private func unsupported(_ found: String, _ wanted: String) -> FormatError {
    FormatError(.unsupported, path: path, wanted: wanted, found: found)
  }
}

extension ArraySlice<UInt8> {
  /// Whether a token stands for a byte, as `<0x0A>`.
  fileprivate var isByteName: Bool {
    let text = String(decoding: self, as: UTF8.self)
    return text.utf8.count == 6 && text.hasPrefix("<0x") && text.hasSuffix(">")
      && UInt8(text.dropFirst(3).dropLast(), radix: 16) != nil
  }
}
