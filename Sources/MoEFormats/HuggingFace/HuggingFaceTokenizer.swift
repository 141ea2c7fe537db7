package import MoECore
import MoEPlatform

/// The tokenizer of a published model: `tokenizer.json`, with what `tokenizer_config.json` and
/// `generation_config.json` add to it, by the keys of a GGUF file.
package struct HuggingFaceTokenizer: MetadataSource {
  package let sourceName: String
  let values: [String: MetadataValue]

  package init(folder: String) throws(FormatError) {
    let configuration = try FolderFile.optionalJSON("\(folder)/config.json")
    try self.init(folder: folder, configuration: configuration ?? .null)
  }

  init(folder: String, configuration: JSONTree) throws(FormatError) {
    let path = "\(folder)/tokenizer.json"
    sourceName = path
    let bytes = try FolderFile.contents(path, byteCountMax: TokenizerJSON.byteCountMax)
    let file = try TokenizerJSON(
      bytes, path: path, tokenCount: configuration["vocab_size"]?.integer ?? 0)
    var values = file.values
    let settings = try FolderFile.optionalJSON("\(folder)/tokenizer_config.json")
    for (name, key) in [
      ("bos_token", "bos"), ("eos_token", "eos"), ("pad_token", "padding"),
      ("unk_token", "unknown"),
    ] {
      let text = settings?[name]?.string ?? settings?[name]?["content"]?.string
      if let id = text.flatMap({ file.id(of: $0) }) {
        values["tokenizer.ggml.\(key)_token_id"] = .unsigned(UInt64(id))
      }
    }
    for (name, key) in [("add_bos_token", "add_bos_token"), ("add_eos_token", "add_eos_token")] {
      if let flag = settings?[name]?.bool { values["tokenizer.ggml.\(key)"] = .bool(flag) }
    }
    if let template = settings?["chat_template"]?.string {
      values["tokenizer.chat_template"] = .string(template)
    }
    let generation = try FolderFile.optionalJSON("\(folder)/generation_config.json")
    Self.setEnds(&values, [generation?["eos_token_id"], configuration["eos_token_id"]])
    if values["tokenizer.ggml.bos_token_id"] == nil,
      let id = configuration["bos_token_id"]?.integer, id >= 0
    {
      values["tokenizer.ggml.bos_token_id"] = .unsigned(UInt64(id))
    }
    self.values = values
  }

  package func value(forKey key: String) -> MetadataValue? { values[key] }

  /// All tokens that some file says generation ends at, that of the tokenizer first.
  private static func setEnds(_ values: inout [String: MetadataValue], _ found: [JSONTree?]) {
    let key = "tokenizer.ggml.eos_token_id"
    var ids = values[key]?.integer.map { [$0] } ?? []
    for tree in found {
      guard let tree else { continue }
      for id in (tree.array ?? [tree]).compactMap(\.integer) where id >= 0 && !ids.contains(id) {
        ids.append(id)
      }
    }
    if ids.count == 1 { values[key] = .unsigned(UInt64(ids[0])) }
    if ids.count > 1 { values[key] = .array(.unsigned(ids.map { UInt64($0) })) }
  }
}
