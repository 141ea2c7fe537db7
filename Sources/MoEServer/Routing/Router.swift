import HTTPTypes
import MoECore

/// Finds the endpoint of a request.
struct Router: Sendable {
  struct Match: Sendable {
    let endpoint: Endpoint
    let parameter: String
  }

  private var exact: [String: [Endpoint]] = [:]
  /// By what stands before the parameter.
  private var prefixes: [(prefix: String, endpoint: Endpoint)] = []

  init(_ endpoints: [Endpoint]) {
    for endpoint in endpoints {
      if endpoint.path.hasSuffix(Endpoint.parameterEnd) {
        prefixes.append(
          (String(endpoint.path.dropLast(Endpoint.parameterEnd.count - 1)), endpoint))
      } else {
        exact[endpoint.path, default: []].append(endpoint)
      }
    }
  }

  /// - Parameter path: As it came, a query included.
  func match(method: HTTPRequest.Method, path: String) throws(APIError) -> Match {
    let found = try matches(path)
    let wanted = method == .head ? "GET" : method.rawValue
    if let match = found.first(where: { $0.endpoint.method.rawValue == wanted }) { return match }
    let methods = Self.methods(found)
    throw APIError(
      status: 405, type: "invalid_request_error",
      message: "\(Self.normalized(path).quotedForMessage) takes \(methods) alone",
      code: "method_not_allowed", allowedMethods: methods)
  }

  /// The methods that a path takes, as headers list them.
  func methods(path: String) throws(APIError) -> String { Self.methods(try matches(path)) }

  private static func methods(_ matches: [Match]) -> String {
    let own = Set(matches.map(\.endpoint.method.rawValue)).sorted()
    return (own + (own.contains("GET") ? ["HEAD", "OPTIONS"] : ["OPTIONS"]))
      .joined(separator: ", ")
  }

  private func matches(_ path: String) throws(APIError) -> [Match] {
    let path = Self.normalized(path)
    var found = (exact[path] ?? []).map { Match(endpoint: $0, parameter: "") }
    for (prefix, endpoint) in prefixes
    where path.hasPrefix(prefix) && path.utf8.count > prefix.utf8.count {
      found.append(Match(endpoint: endpoint, parameter: String(path.dropFirst(prefix.count))))
    }
    if found.isEmpty {
      throw .notFound(
        "there is nothing at \(path.quotedForMessage); /openapi.json lists what there is")
    }
    return found
  }

  /// A path without query, `/v1` and a slash at its end, its percent signs read.
  static func normalized(_ path: String) -> String {
    var text = decoded(path.utf8.prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") })
    if text == "/v1" || text.hasPrefix("/v1/") { text = String(text.dropFirst(3)) }
    let slashCount = text.utf8.reversed().prefix { $0 == UInt8(ascii: "/") }.count
    text = String(decoding: text.utf8.dropLast(slashCount), as: UTF8.self)
    return text.isEmpty ? "/" : text
  }

  private static func decoded(_ bytes: some Collection<UInt8>) -> String {
    var result: [UInt8] = []
    var rest = Array(bytes)[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%"), rest.count >= 2,
        let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
      {
        result.append(value)
        rest = rest.dropFirst(2)
      } else {
        result.append(byte)
      }
    }
    return String(decoding: result, as: UTF8.self)
  }
}
