import HTTPTypes

extension Endpoint {
  /// The server's own page.
  static let page = Endpoint(
    method: .get, path: "/", summary: "Gives the page to talk with the model.", family: "Server",
    needsKey: false
  ) { _ in
    let nonce = Identifier.make("")
    return Reply(
      contentType: "text/html; charset=utf-8",
      headers: [
        .contentSecurityPolicy: Page.policy(nonce), .referrerPolicy: "no-referrer",
        .frameOptions: "DENY", .cacheControl: "no-store",
      ], .bytes(Page.bytes(nonce)))
  }
}

/// The page, and what a browser may do with it: run and show what the page itself has, told by a
/// word that is another each time, and ask this server.
enum Page {
  /// The page, cut where the word stands.
  private static let parts: [String] = {
    var parts: [String] = []
    var rest = String(decoding: PackageResources.page_html, as: UTF8.self)[...]
    while let next = rest.firstRange(of: "{{NONCE}}") {
      parts.append(String(rest[..<next.lowerBound]))
      rest = rest[next.upperBound...]
    }
    return parts + [String(rest)]
  }()

  static func bytes(_ nonce: String) -> [UInt8] { Array(parts.joined(separator: nonce).utf8) }

  static func policy(_ nonce: String) -> String {
    "default-src 'none'; script-src 'nonce-\(nonce)'; style-src 'nonce-\(nonce)'; img-src data:; "
      + "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
  }
}
