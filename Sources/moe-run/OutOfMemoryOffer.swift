private import MoEPlatform

/// Where the machine runs out of memory after all, the kernel ends a process to get some. This one
/// holds the most and loses the least: a run can be had again, what is open on a desktop cannot.
enum OutOfMemoryOffer {
  private static let path = "/proc/self/oom_score_adj"
  /// The largest there is; to raise one's own is always allowed.
  private static let first = 1000

  static func make() { _ = KernelFile.write("\(first)", to: path) }

  /// What the kernel took; nil where it does not say.
  static var score: Int? {
    KernelFile.text(path).flatMap { Int($0.prefix { !$0.isNewline }) }
  }

  /// For people.
  static var text: String {
    guard let score else { return "the system does not say whom it ends" }
    return score == first
      ? "the kernel ends a run before other programs (oom_score_adj \(score))"
      : "a run could not offer itself to the kernel (oom_score_adj \(score))"
  }
}
