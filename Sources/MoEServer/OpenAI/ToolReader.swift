import MoECore
import MoETemplates

/// Reads the tools of a request, and what the model may do with them.
struct ToolReader {
  let unknown: UnknownFields

  /// Tools that a request may have.
  private static let countMax = 1024

  /// OpenAI's chat completions.
  func chat(_ fields: inout RequestFields) throws(APIError) -> ToolUse {
    var use = ToolUse()
    for (index, element) in (try fields.array("tools") ?? []).enumerated() {
      let path = "tools[\(index)]"
      var tool = try RequestFields(element, at: path, unknown: unknown)
      try checkType(&tool, path)
      guard var function = try tool.object("function") else {
        throw .invalid("\(path).function", "\(path).function is missing")
      }
      try add(&function, to: &use)
      function.finish()
      tool.finish()
    }
    try checkCount(use)
    if try choice(&fields) == .none { return .none }
    return use
  }

  /// OpenAI's responses, whose functions stand in the tool itself.
  func responses(_ fields: inout RequestFields) throws(APIError) -> ToolUse {
    var use = ToolUse()
    for (index, element) in (try fields.array("tools") ?? []).enumerated() {
      var tool = try RequestFields(element, at: "tools[\(index)]", unknown: unknown)
      try checkType(&tool, "tools[\(index)]")
      try add(&tool, to: &use)
      tool.finish()
    }
    try checkCount(use)
    if try choice(&fields) == .none { return .none }
    return use
  }

  private func checkType(_ tool: inout RequestFields, _ path: String) throws(APIError) {
    guard let type = tool.value("type") else {
      throw .invalid("\(path).type", "\(path).type is missing; give function")
    }
    guard type == "function" else {
      throw .unsupported("\(path).type", "\(path).type must be function: no other tool is offered")
    }
  }

  private func checkCount(_ use: ToolUse) throws(APIError) {
    guard use.outputs.count <= Self.countMax else {
      throw .invalid("tools", "there are more than \(Self.countMax) tools; send fewer")
    }
  }

  func add(
    _ function: inout RequestFields, schema: String = "parameters", to use: inout ToolUse
  ) throws(APIError) {
    guard let name = try function.string("name"), !name.isEmpty else {
      throw .invalid(function.path(of: "name"), "\(function.path(of: "name")) is missing")
    }
    let description = try function.string("description")
    let parameters = function.value(schema)
    if let parameters {
      guard case .object = parameters else {
        throw function.wrong(schema, wanted: "an object", parameters)
      }
    }
    if try function.bool("strict") == true { use.strictNames.insert(name) }
    use.outputs.append(OutputTool(name: name, parameters: parameters))
    use.definitions.append(
      ToolDefinition(json: [
        "type": "function",
        "function": .members([
          "name": .string(name), "description": description.map(JSON.string),
          "parameters": parameters ?? ["type": "object", "properties": [:]],
        ]),
      ]))
  }

  private enum Choice {
    case auto, none
  }

  private func choice(_ fields: inout RequestFields) throws(APIError) -> Choice {
    guard let value = fields.value("tool_choice") else { return .auto }
    switch value {
    case "auto": return .auto
    case "none": return .none
    case "required", .object:
      throw .unsupported(
        "tool_choice", "tool_choice is not offered but as auto and none: no call can be enforced")
    default: throw fields.wrong("tool_choice", wanted: "auto or none", value)
    }
  }
}
