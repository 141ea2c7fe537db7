import Logging
import MoECore

/// One line of the access log.
struct AccessRecord {
  let method: String
  /// The endpoint's path, or what was asked for in its place.
  var path: String
  var status = 0
  var milliseconds = 0.0
  var tokens = TokenCounts()
  /// The beginning of the body, where it is to be shown.
  var body: String?

  init(method: String, path: String) {
    self.method = method
    self.path = path
  }

  /// Bytes of a body that are shown.
  private static let shownByteCountMax = 4096

  /// A body, fit for a line of a log.
  static func shown(_ body: [UInt8]) -> String {
    let text = String(decoding: body.prefix(shownByteCountMax), as: UTF8.self)
    return JSON.string(text).jsonText + (body.count > shownByteCountMax ? "..." : "")
  }

  func log(_ logger: Logger) {
    let tenths = Int((milliseconds * 10).rounded())
    var line = "\(method) \(shownPath) \(status) \(tenths / 10).\(tenths % 10) ms"
    if tokens.prompt > 0 {
      line += ", \(tokens.prompt) + \(tokens.generated) tokens, \(tokens.cached) cached"
    }
    if let body { line += ", body \(body)" }
    logger.info("\(line)")
  }

  /// A stranger's path has no command for a terminal in it.
  private var shownPath: String {
    let isPlain = path.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } && path.utf8.count <= 100
    return isPlain ? path : path.quotedForMessage
  }
}
