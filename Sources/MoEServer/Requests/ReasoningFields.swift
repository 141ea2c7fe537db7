import MoECore
import MoETemplates

/// Reads how much the model is to think, which is for its chat template to say.
enum ReasoningFields {
  static let efforts = ["none", "minimal", "low", "medium", "high", "xhigh", "max"]
  /// Names by which templates let thinking be turned on and off.
  private static let switches = ["enable_thinking", "thinking"]

  /// What a template is told of an effort. Throws where it has no words for it.
  static func variables(
    effort: String?, named path: String, _ model: ServedModel
  ) throws(APIError) -> [String: TemplateVariable] {
    guard let effort else { return [:] }
    var variables: [String: TemplateVariable] = [:]
    if effort != "none", model.templateNames.contains("reasoning_effort") {
      variables["reasoning_effort"] = .untrusted(.string(effort))
    }
    for name in switches where model.templateNames.contains(name) {
      variables[name] = .untrusted(.bool(effort != "none"))
    }
    guard variables.isEmpty else { return variables }
    throw .unsupported(
      path, "\(path) is not offered: the model's chat template knows no way to set it")
  }

  /// The same for a switch.
  static func variables(
    isOn: Bool, named path: String, _ model: ServedModel
  ) throws(APIError) -> [String: TemplateVariable] {
    var variables: [String: TemplateVariable] = [:]
    for name in switches where model.templateNames.contains(name) {
      variables[name] = .untrusted(.bool(isOn))
    }
    guard variables.isEmpty else { return variables }
    throw .unsupported(
      path, "\(path) is not offered: the model's chat template knows no way to set it")
  }

  /// What the template is told by name (`chat_template_kwargs`).
  static func templateVariables(
    _ fields: inout RequestFields
  ) throws(APIError) -> [String: TemplateVariable] {
    guard let value = fields.value("chat_template_kwargs") else { return [:] }
    guard case .object(let members) = value else {
      throw fields.wrong("chat_template_kwargs", wanted: "an object", value)
    }
    let reserved = ["messages", "tools", "add_generation_prompt", "bos_token", "eos_token"]
    var variables: [String: TemplateVariable] = [:]
    for member in members {
      guard !reserved.contains(member.name) else {
        throw .invalid(
          "chat_template_kwargs",
          "chat_template_kwargs may not have \(member.name), which the request gives otherwise")
      }
      variables[member.name] = .untrusted(member.value)
    }
    return variables
  }
}
