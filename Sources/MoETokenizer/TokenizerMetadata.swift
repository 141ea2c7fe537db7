import MoECore

/// Checked reading of a tokenizer's metadata: every value has the type and the range that its key
/// demands, or the error says which has not.
struct TokenizerMetadata {
  let source: any MetadataSource

  func string(_ key: String) throws(TokenizerError) -> String? {
    guard let value = source.value(forKey: key) else { return nil }
    guard case .string(let text) = value else { throw wrongType(key, "a string", value) }
    return text
  }

  func flag(_ key: String) throws(TokenizerError) -> Bool? {
    guard let value = source.value(forKey: key) else { return nil }
    guard let flag = value.boolean else { throw wrongType(key, "a boolean", value) }
    return flag
  }

  func strings(_ key: String) throws(TokenizerError) -> PackedStrings {
    guard let value = source.value(forKey: key) else {
      throw error(.missing, key, wanted: "an array of strings", found: "no such key")
    }
    guard case .array(.strings(let strings)) = value else {
      throw wrongType(key, "an array of strings", value)
    }
    return strings
  }

  func integers(_ key: String) throws(TokenizerError) -> [Int]? {
    guard let value = source.value(forKey: key) else { return nil }
    guard case .array(let array) = value, let integers = array.integers else {
      throw wrongType(key, "an array of integers", value)
    }
    return integers
  }

  /// Finite numbers, one for each of `count` tokens.
  func floats(_ key: String, count: Int) throws(TokenizerError) -> [Float] {
    guard let value = source.value(forKey: key) else {
      throw error(.missing, key, wanted: "an array of numbers", found: "no such key")
    }
    guard case .array(let array) = value, let floats = array.floats else {
      throw wrongType(key, "an array of numbers", value)
    }
    guard floats.count == count else {
      throw error(
        .wrongCount, key, wanted: "\(count) numbers, one for each token",
        found: "\(floats.count)")
    }
    if let index = floats.firstIndex(where: { !$0.isFinite }) {
      throw error(
        .malformed, key, wanted: "finite numbers", found: "\(floats[index]) as element \(index)")
    }
    return floats
  }

  /// The ids that a key names: a single one, or an array of them.
  func ids(_ key: String) throws(TokenizerError) -> [Int] {
    guard let value = source.value(forKey: key) else { return [] }
    if let id = value.integer { return [id] }
    guard case .array(let array) = value, let ids = array.integers else {
      throw wrongType(key, "a token id", value)
    }
    return ids
  }

  func error(
    _ reason: TokenizerError.Reason, _ key: String, wanted: String, found: String,
    advice: String = "convert the model again or get another copy of the file"
  ) -> TokenizerError {
    TokenizerError(
      reason: reason, source: source.sourceName, key: key, wanted: wanted, found: found,
      advice: advice)
  }

  func wrongType(
    _ key: String, _ wanted: String, _ value: MetadataValue
  ) -> TokenizerError {
    let found =
      switch value {
      case .unsigned(let value): "the integer \(value)"
      case .signed(let value): "the integer \(value)"
      case .float(let value): "the number \(value)"
      case .bool(let value): "the boolean \(value)"
      case .string: "a string"
      case .bytes: "text that is not UTF-8"
      case .array(let array): "\(array.elementName) in an array of \(array.count)"
      }
    return error(.wrongType, key, wanted: wanted, found: found)
  }
}
