import HTTPTypes
import MoECore

/// Which pages in browsers may use the server (Fetch Standard, "CORS protocol").
///
/// A request of another page is refused, not only left unread by it: else any page could have a
/// model on its reader's machine work.
struct Origins: Sendable {
  private let allowed: [String]
  private let isLoopback: Bool

  /// - Parameter allowed: Origins such as `https://example.org`; `*` for all.
  init(allowed: [String], host: String) {
    self.allowed = allowed.map { Self.normalized($0) }
    isLoopback = Self.isLoopback(host)
  }

  private static func normalized(_ origin: String) -> String {
    let text = origin.lowercased()
    return text.hasSuffix("/") ? String(text.dropLast()) : text
  }

  private static func isLoopback(_ host: String) -> Bool {
    host == "localhost" || host.hasSuffix(".localhost") || host == "::1" || host == "[::1]"
      || host.hasPrefix("127.")
  }

  /// The headers that let the page at the origin read the answer; throws where it is not let in.
  func check(origin: String?, authority: String?) throws(APIError) -> HTTPFields {
    guard let origin else { return [:] }
    if allowed.contains("*") { return [.accessControlAllowOrigin: "*"] }
    if allowed.contains(Self.normalized(origin)) {
      return [.accessControlAllowOrigin: origin, .vary: "Origin"]
    }
    if isOwn(Self.normalized(origin), authority: authority?.lowercased()) { return [:] }
    throw APIError(
      status: 403, type: "permission_error",
      message: "pages of \(origin.quotedForMessage) are not let in; allow them by --cors-origin",
      code: "origin_not_allowed")
  }

  /// Whether the origin is the server's own page. On loopback its name must be one of loopback too:
  /// a stranger's name can be made to lead there.
  private func isOwn(_ origin: String, authority: String?) -> Bool {
    guard let authority, origin == "http://" + authority || origin == "https://" + authority else {
      return false
    }
    if !isLoopback { return true }
    let host =
      authority.hasPrefix("[")
      ? String(authority.prefix { $0 != "]" }) + "]" : String(authority.prefix { $0 != ":" })
    return Self.isLoopback(host)
  }

  /// The answer to a browser that asks beforehand.
  func preflight(
    _ headers: HTTPFields, methods: String, authority: String?
  ) throws(APIError) -> HTTPFields {
    var answer = try check(origin: headers[.origin], authority: authority)
    answer[.accessControlAllowMethods] = methods
    answer[.accessControlAllowHeaders] =
      headers[.accessControlRequestHeaders] ?? "Authorization, Content-Type, X-Api-Key"
    answer[.accessControlMaxAge] = "600"
    if headers[.requestPrivateNetwork] == "true" { answer[.allowPrivateNetwork] = "true" }
    return answer
  }
}
