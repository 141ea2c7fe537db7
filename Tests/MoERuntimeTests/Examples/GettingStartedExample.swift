import MoECore
import MoERuntime

func continueStory(modelAt path: String, memory: String) async throws -> String {
  var options = EngineOptions()
  options.memory = try SizeSpecification(parsing: memory)
  let engine = try await Engine(modelAt: path, options: options)

  var text = GenerationOptions()
  text.tokenCountMax = 100
  let generation = engine.generate("Once upon a time", text)
  var story = ""
  for try await token in generation { story += token.text }

  if let statistics = generation.statistics {
    print("\(statistics.decodeTokensPerSecond) tokens/s, peak \(statistics.peakByteCount) bytes")
  }
  return story
}
