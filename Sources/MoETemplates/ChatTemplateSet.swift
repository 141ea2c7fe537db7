/// The chat templates of one model file, by name.
///
/// Most files have one. Some have others beside it, of which `tool_use` is for conversations with
/// tools.
package struct ChatTemplateSet: Sendable {
  /// The names that have a meaning, as in transformers.
  package static let defaultName = "default"
  package static let toolUseName = "tool_use"

  private let templates: [String: ChatTemplate]

  /// The names of all templates, sorted.
  package var names: [String] { templates.keys.sorted() }

  /// Reads all templates. Throws where one can't be read, naming it.
  package init(
    sources: [String: String], limits: TemplateLimits = .init()
  ) throws(TemplateError) {
    var templates: [String: ChatTemplate] = [:]
    for (name, source) in sources.sorted(by: { $0.key < $1.key }) {
      do throws(TemplateError) {
        templates[name] = try ChatTemplate(source: source, limits: limits)
      } catch {
        if sources.count == 1 { throw error }
        throw TemplateError(
          error.reason, "in the template '\(name)': \(error.problem)", line: error.line)
      }
    }
    self.templates = templates
  }

  /// The template for a conversation: `tool_use` if there are tools and there is one, else the
  /// default, else the only one. Throws `missing` where none of them is.
  package func template(hasTools: Bool) throws(TemplateError) -> ChatTemplate {
    if hasTools, let template = templates[Self.toolUseName] { return template }
    if let template = templates[Self.defaultName] { return template }
    if templates.count == 1, let template = templates.values.first { return template }
    throw TemplateError(
      .missing,
      "no default among the chat templates (\(names.joined(separator: ", ")))")
  }

  package subscript(name: String) -> ChatTemplate? { templates[name] }
}
