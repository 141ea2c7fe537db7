/// The styles of output there are.
package enum OutputStyleRegistry {
  package static let plain = OutputStyle.plain

  /// Detection takes the first that fits for thinking and the first for tools. So those for both
  /// come first, and tags that several families have in common last.
  package static let all: [OutputStyle] = [
    .harmony, .cohere, .kimiK3, .solar, .gemma, .miniMaxM3,
    .dsml, .deepSeek, .kimiK2, .miniMaxM2, .glm, .qwenCoder, .mistral, .lfm2, .toolCallList,
    .pythonic, .llama, .hermes,
    .think, .mistralThink,
    .plain,
  ]

  /// Nil where no style has that name.
  package static func style(named name: String) -> OutputStyle? { all.first { $0.name == name } }
}
