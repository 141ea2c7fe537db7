/// Names that answers and calls are given.
enum Identifier {
  private static let letters = Array("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ")

  /// Random letters behind a prefix, by which the kinds are told apart.
  static func make(_ prefix: String) -> String {
    prefix + String((0..<24).map { _ in letters[Int.random(in: 0..<letters.count)] })
  }

  static func toolCall() -> String { make("call_") }
}
