import MoECore

/// Figures as people read them, the same in the page and in the text.
package enum Figures {
  package static func percent(_ share: Double) -> String { Decimals.text(100 * share, 1) + " %" }

  /// Three digits.
  package static func short(_ value: Double) -> String {
    switch abs(value) {
    case 100...: "\(Int(min(max(value.rounded(), -0x1p53), 0x1p53)))"
    case 10..<100: Decimals.text(value, 1)
    default: Decimals.text(value, 2)
    }
  }

  package static func speed(_ tokensPerSecond: Double?) -> String {
    tokensPerSecond.map(short) ?? "no limit"
  }

  package static func rate(_ bytesPerSecond: Double) -> String {
    bytesPerSecond >= 1e9
      ? trimmed(Decimals.text(bytesPerSecond * 1e-9, 2)) + " GB/s"
      : "\(Int((bytesPerSecond * 1e-6).rounded())) MB/s"
  }

  package static func bytes(_ count: Double) -> String { bytes(Int(min(max(count, 0), 0x1p62))) }
  package static func bytes(_ count: Int) -> String { "\(ByteSize(count))" }

  /// A number without needless zeros: 0.5, 2, 16.
  package static func plain(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 0x1p53
      ? "\(Int(value))" : trimmed(Decimals.text(value, 3))
  }

  private static func trimmed(_ text: String) -> String {
    guard text.contains(".") else { return text }
    var text = text
    while text.hasSuffix("0") { text.removeLast() }
    if text.hasSuffix(".") { text.removeLast() }
    return text
  }

  package static func counted(_ count: Int, _ one: String, _ many: String) -> String {
    "\(count) \(count == 1 ? one : many)"
  }

  /// At most so many characters, the middle left out.
  package static func clipped(_ text: String, to count: Int) -> String {
    guard text.count > count else { return text }
    let head = (count - 1) / 2
    return text.prefix(head) + "…" + text.suffix(count - 1 - head)
  }
}
