import HTTPTypes
import MoECore

/// A request as a line of a batch has it (OpenAI's batch interface).
struct BatchLine: Sendable {
  let customID: String
  let endpoint: Endpoint
  let body: JSON

  /// Bytes of a name that whoever asks may give.
  private static let idByteCountMax = 1024

  /// Throws what is wrong with the line; what is wrong with the request in it shows when that is
  /// read.
  init(
    _ line: FileLine, byteCountMax: Int, router: Router, memory: BodyMemory
  ) throws(BatchLineError) {
    guard let content = line.content else {
      throw BatchLineError(
        line.number, code: "line_too_long",
        "has \(line.byteCount) bytes, more than the \(byteCountMax) that are taken")
    }
    let json: JSON
    do {
      json = try RequestText.json(content, memory)
    } catch {
      throw BatchLineError(line.number, code: "invalid_json_line", "is no JSON: \(error.message)")
    }
    guard case .object = json else {
      throw BatchLineError(
        line.number, code: "invalid_json_line", "must be an object, but is \(json.kind)")
    }
    guard let id = json["custom_id"]?.string, !id.isEmpty else {
      throw BatchLineError(
        line.number, code: "missing_custom_id",
        "has no custom_id; give each request a text of its own")
    }
    guard id.utf8.count <= Self.idByteCountMax else {
      throw BatchLineError(
        line.number, code: "invalid_custom_id",
        "has a custom_id of more than \(Self.idByteCountMax) bytes")
    }
    customID = id
    if let method = json["method"], method != .null, method != "POST" {
      throw BatchLineError(
        line.number, id: id, code: "invalid_method", "has a method that is not POST")
    }
    endpoint = try Self.endpoint(json["url"], of: line.number, id: id, router)
    guard let body = json["body"], case .object = body else {
      throw BatchLineError(
        line.number, id: id, code: "missing_body", "has no body; give the request as an object")
    }
    self.body = body
  }

  private static func endpoint(
    _ url: JSON?, of line: Int, id: String, _ router: Router
  ) throws(BatchLineError) -> Endpoint {
    let offered = EndpointRegistry.all.filter { $0.read != nil }
      .map { $0.family == "llama-server" ? $0.path : "/v1" + $0.path }
    guard let path = url?.string,
      let match = try? router.match(method: .post, path: path), match.endpoint.read != nil
    else {
      throw BatchLineError(
        line, id: id, code: "invalid_url",
        "must have a url of \(offered.joined(separator: ", "))")
    }
    return match.endpoint
  }

  /// Whether the answer is to have a form, for which there must be memory.
  var wantsForm: Bool {
    let names = ["response_format", "grammar", "json_schema", "text", "output_format"]
    return (names + ["output_config"]).contains { body[$0].map { $0 != .null } ?? false }
  }
}

/// Why a line of a batch is no request: it is named in the output, and the others go on.
struct BatchLineError: Error, Sendable, Equatable {
  let line: Int
  /// Nil where it could not be read.
  let customID: String?
  let code: String
  let message: String

  /// - Parameter problem: The end of a sentence that begins with the line.
  init(_ line: Int, id: String? = nil, code: String, _ problem: String) {
    self.line = line
    customID = id
    self.code = code
    message = "line \(line) \(problem)"
  }
}
