import MoERuntime

func write(with engine: Engine) async throws -> (text: String, surest: Double) {
  var options = GenerationOptions()
  options.tokenCountMax = 40
  options.sampling.temperature = 0.7
  options.sampling.topP = 0.9
  options.sampling.seed = 7
  options.stops = ["The end", "\n\n\n"]
  options.logProbabilityCount = 3
  let end = engine.model.endTokens
  options.changesLogits = { logits, text in
    // Not before ten tokens.
    if text.count < 10 { for token in end { logits[Int(token)] = -.infinity } }
  }
  var text = ""
  var surest = -Double.infinity
  for try await token in engine.generate("Once upon a time", options) {
    text += token.text
    surest = max(surest, token.logProbability ?? surest)
  }
  return (text, surest)
}
