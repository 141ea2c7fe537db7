import HTTPTypes

/// The keys with which requests are let in.
package struct APIKeys: Sendable {
  private let keys: [[UInt8]]

  /// Without keys everybody is let in.
  init(_ keys: [String]) { self.keys = keys.filter { !$0.isEmpty }.map { Array($0.utf8) } }

  /// Throws where a key is needed and none of them was given.
  func check(_ headers: HTTPFields) throws(APIError) {
    if keys.isEmpty { return }
    var given: [[UInt8]] = []
    if let text = headers[.authorization], text.prefix(7).lowercased() == "bearer " {
      given.append(Array(text.dropFirst(7).utf8))
    }
    if let text = headers[.apiKey] { given.append(Array(text.utf8)) }
    var isKnown = false
    // All of them, so that the time does not tell which it was.
    for key in keys {
      for candidate in given where Self.isEqual(candidate, to: key) { isKnown = true }
    }
    if isKnown { return }
    throw APIError(
      status: 401, type: "authentication_error",
      message: "give a valid key: Authorization: Bearer KEY, or X-Api-Key: KEY",
      code: "invalid_api_key")
  }

  /// Compares in a time that depends on the key's length alone.
  package static func isEqual(_ candidate: [UInt8], to key: [UInt8]) -> Bool {
    var difference: UInt8 = candidate.count == key.count ? 0 : 1
    for (index, byte) in key.enumerated() {
      difference |= byte ^ (index < candidate.count ? candidate[index] : ~byte)
    }
    return difference == 0
  }
}
