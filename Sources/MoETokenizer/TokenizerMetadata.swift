import MoECore

/// Checked reading of a tokenizer's metadata: every value has the type and the range that its key
/// demands, or the error says which has not.
struct TokenizerMetadata<Source: MetadataSource> {
  let source: Source

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

  /// A token id below `vocabularySize`.
  func token(_ key: String, vocabularySize: Int) throws(TokenizerError) -> Int32? {
    guard let value = source.value(forKey: key) else { return nil }
    guard let token = value.integer else { throw wrongType(key, "a token id", value) }
    guard token >= 0, token < vocabularySize, let token = Int32(exactly: token) else {
      throw error(
        .outOfRange, key, wanted: "a token id below \(vocabularySize)", found: "\(token)")
    }
    return token
  }

  func error(
    _ reason: TokenizerError.Reason, _ key: String, wanted: String, found: String,
    advice: String = "convert the model again or get another copy of the file"
  ) -> TokenizerError {
    TokenizerError(
      reason: reason, source: source.sourceName, key: key, wanted: wanted, found: found,
      advice: advice)
  }

  private func wrongType(
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
