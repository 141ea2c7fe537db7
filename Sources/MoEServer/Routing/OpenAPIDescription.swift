import MoECore

/// The interface as OpenAPI 3.1, made of the endpoints themselves.
enum OpenAPIDescription {
  static let json: JSON = [
    "openapi": "3.1.0",
    "info": [
      "title": "moe-run", "version": "1",
      "description": "A language model, for clients of OpenAI, Anthropic and llama-server.",
    ],
    "servers": [["url": "/v1"]],
    "paths": paths,
    "components": [
      "schemas": ["Error": error],
      "securitySchemes": ["key": ["type": "http", "scheme": "bearer"]],
    ],
  ]

  private static let error: JSON = [
    "type": "object", "required": ["error"],
    "properties": [
      "error": [
        "type": "object", "required": ["message", "type", "param", "code"],
        "properties": [
          "message": ["type": "string"], "type": ["type": "string"],
          "param": ["type": ["string", "null"]], "code": ["type": ["string", "null"]],
        ],
      ]
    ],
  ]

  private static var paths: JSON {
    var members: [JSONMember] = []
    for endpoint in EndpointRegistry.all {
      let operation = JSONMember(
        name: endpoint.method.rawValue.lowercased(), value: operation(endpoint))
      if let index = members.firstIndex(where: { $0.name == endpoint.path }) {
        guard case .object(let others) = members[index].value else { continue }
        members[index].value = .object(others + [operation])
      } else {
        members.append(JSONMember(name: endpoint.path, value: .object([operation])))
      }
    }
    return .object(members)
  }

  private static func operation(_ endpoint: Endpoint) -> JSON {
    let hasParameter = endpoint.path.hasSuffix(Endpoint.parameterEnd)
    return .members([
      "summary": .string(endpoint.summary), "tags": [.string(endpoint.family)],
      "security": endpoint.needsKey ? [["key": []], [:]] : nil,
      "parameters": hasParameter
        ? [["name": "id", "in": "path", "required": true, "schema": ["type": "string"]]] : nil,
      "requestBody": endpoint.request.map { schema in
        ["required": true, "content": ["application/json": ["schema": schema]]]
      },
      "responses": responses(endpoint),
    ])
  }

  private static func responses(_ endpoint: Endpoint) -> JSON {
    var answers: [JSONMember] = []
    if endpoint.family != "Not offered" {
      answers.append(JSONMember(name: "200", value: answer(endpoint)))
    }
    let failure: JSON = [
      "description": "What is wrong.",
      "content": ["application/json": ["schema": ["$ref": "#/components/schemas/Error"]]],
    ]
    for status in [400, 401, 403, 404, 405, 413, 415, 417, 422, 429, 501, 503] {
      answers.append(JSONMember(name: "\(status)", value: failure))
    }
    return .object(answers)
  }

  private static func answer(_ endpoint: Endpoint) -> JSON {
    let content: JSON =
      switch endpoint.path {
      case "/": ["text/html": [:]]
      case "/metrics": ["text/plain": [:]]
      case "/experts/live": ["text/event-stream": [:]]
      default:
        endpoint.request == nil
          ? ["application/json": [:]] : ["application/json": [:], "text/event-stream": [:]]
      }
    return ["description": "What was asked for.", "content": content]
  }
}
