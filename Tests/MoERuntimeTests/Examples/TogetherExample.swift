import MoERuntime

func storiesTogether(modelAt path: String, beginnings: [String]) async throws -> [String] {
  var options = EngineOptions()
  options.parallelRequestCount = beginnings.count
  options.queueLength = 16
  let engine = try await Engine(modelAt: path, options: options)
  return try await withThrowingTaskGroup(of: (Int, String).self) { group in
    for (number, beginning) in beginnings.enumerated() {
      group.addTask {
        var options = GenerationOptions()
        options.tokenCountMax = 30
        options.sampling.seed = UInt64(number)
        var story = ""
        for try await token in engine.generate(beginning, options) { story += token.text }
        return (number, story)
      }
    }
    var stories = [String](repeating: "", count: beginnings.count)
    for try await (number, story) in group { stories[number] = story }
    return stories
  }
}
