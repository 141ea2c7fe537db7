import MoERuntime

/// The options of a text, by the names that moe-run's flags have.
enum TextOptionRegistry {
  static let all: [OptionEntry<TextOptions>] = text + conversation + narrowing + penalties

  private static let text: [OptionEntry<TextOptions>] = [
    OptionEntry(
      name: "predict", summary: "Tokens to generate at most; -1: until the text ends.",
      example: "100"
    ) { text, options throws(WantedValue) in
      let count = try OptionValue.integer(text, in: -1 ... .max)
      options.generation.tokenCountMax = count < 0 ? nil : count
    },
    OptionEntry(
      name: "seed", summary: "The same seed and options give the same text; -1: drawn anew.",
      example: "7"
    ) { text, options throws(WantedValue) in
      let seed = try OptionValue.integer(text, in: -1 ... .max)
      options.generation.sampling.seed = UInt64(exactly: seed)
    },
    .texts(
      "stop", summary: "A text that ends the generation, and is left out.", example: "END",
      \.generation.stops),
    .truth(
      "ignore-eos", summary: "Go on where the model would end its text.",
      \.generation.ignoresEnd),
    .truth(
      "parse-special", summary: "Read names of special tokens in a prompt as these tokens.",
      \.generation.parsesSpecialTokens),
    .truth(
      "special", summary: "Write special tokens that the model generates as their names.",
      \.generation.rendersSpecialTokens),
    OptionEntry(
      name: "gating", summary: "Let tokens take fewer or other experts; changes the text.",
      example: "off"
    ) { text, options throws(WantedValue) in
      do {
        options.generation.gating = try GatingSpecification(parsing: text)
      } catch {
        throw WantedValue(text: "a gating: \(error)")
      }
    },
    OptionEntry(
      name: "grammar",
      summary: "The form of the text, in GBNF; needs the option grammars at loading.",
      example: "root ::= \"yes\" | \"no\""
    ) { text, options throws(WantedValue) in options.grammar = .gbnf(text) },
    OptionEntry(
      name: "json-schema", summary: "The text is JSON by this schema; needs the same.",
      example: "{}"
    ) { text, options throws(WantedValue) in options.grammar = .jsonSchema(text) },
  ]

  private static let conversation: [OptionEntry<TextOptions>] = [
    OptionEntry(
      name: "chat-template", summary: "The form of a conversation: Jinja, or a built-in's name.",
      example: "chatml"
    ) { text, options throws(WantedValue) in
      options.template = try TextOptions.template(text)
    },
    OptionEntry(
      name: "template-argument", summary: "What the template is told besides: name=value.",
      example: "enable_thinking=false", isRepeatable: true
    ) { text, options throws(WantedValue) in
      try options.addVariable(text)
    },
    OptionEntry(
      name: "tools", summary: "Tools that may be called: a JSON list of functions.",
      example: #"[{"type": "function", "function": {"name": "clock"}}]"#
    ) { text, options throws(WantedValue) in
      do {
        options.tools = try ChatTools(json: text, place: "in it")
      } catch {
        throw WantedValue(text: "a JSON list of tools: \(error)")
      }
    },
  ]

  private static let narrowing: [OptionEntry<TextOptions>] = [
    .number(
      "temp", summary: "Temperature; 0: always the most probable token.", example: "0.7",
      in: 0 ... .infinity, \.generation.sampling.temperature),
    .integer(
      "top-k", summary: "Draw from so many most probable tokens; 0: all.", example: "40",
      in: 0 ... .max, \.generation.sampling.topK),
    .number(
      "top-p", summary: "Draw from tokens that together have this probability; 1: all.",
      example: "0.9", in: 0...1, \.generation.sampling.topP),
    .number(
      "min-p", summary: "Draw from tokens at least so probable beside the best; 0: all.",
      example: "0.05", in: 0...1, \.generation.sampling.minP),
    .number(
      "typical", summary: "Draw from tokens about as surprising as expected; 1: all.",
      example: "0.9", in: 0...1, \.generation.sampling.typicalP),
    .number(
      "top-nsigma", summary: "Draw from logits so many deviations below the best; 0: all.",
      example: "1.5", in: 0 ... .infinity, \.generation.sampling.topNSigma),
    .number(
      "xtc-probability", summary: "How often the most probable tokens are dropped; 0: never.",
      example: "0.1", in: 0...1, \.generation.sampling.xtcProbability),
    .number(
      "xtc-threshold", summary: "From which probability on they are dropped.", example: "0.1",
      in: 0...1, \.generation.sampling.xtcThreshold),
    .number(
      "dynatemp-range", summary: "How far the temperature goes down and up; 0: it stays.",
      example: "0.5", in: 0 ... .infinity, \.generation.sampling.dynamicTemperatureRange),
    .number(
      "dynatemp-exp", summary: "The exponent of that.", example: "1", in: 0 ... .infinity,
      \.generation.sampling.dynamicTemperatureExponent),
    OptionEntry(
      name: "mirostat", summary: "2: keep the text's surprise about the same; 0: off.",
      example: "2"
    ) { text, options throws(WantedValue) in
      guard ["0", "2"].contains(text) else { throw WantedValue(oneOf: ["0", "2"]) }
      options.generation.sampling.mirostat = text == "2"
    },
    .number(
      "mirostat-ent", summary: "That surprise, in bits.", example: "5", in: 0 ... .infinity,
      \.generation.sampling.mirostatTarget),
    .number(
      "mirostat-lr", summary: "How fast it is corrected.", example: "0.1", in: 0 ... .infinity,
      \.generation.sampling.mirostatRate),
    OptionEntry(
      name: "samplers", summary: "The ways above that are applied, in their order: a;b;c.",
      example: "top_k;temperature"
    ) { text, options throws(WantedValue) in
      let names = text.split(separator: ";").map(String.init)
      guard names.allSatisfy({ SamplingOptions.samplerNames.contains($0) }) else {
        throw WantedValue(text: "some of \(SamplingOptions.samplerNames.joined(separator: ";"))")
      }
      options.generation.sampling.samplers = names
    },
  ]

  private static let penalties: [OptionEntry<TextOptions>] = [
    .number(
      "repeat-penalty", summary: "Makes recent tokens less probable; 1: off.", example: "1.1",
      in: 0 ... .infinity, isOpen: true, \.generation.sampling.repeatPenalty),
    .integer(
      "repeat-last-n", summary: "Latest tokens that penalties look at; -1: all.", example: "64",
      in: -1 ... .max, \.generation.sampling.repeatLastCount),
    .number(
      "presence-penalty", summary: "Taken from the logits of recent tokens, once each.",
      example: "0.5", in: -.greatestFiniteMagnitude ... .infinity,
      \.generation.sampling.presencePenalty),
    .number(
      "frequency-penalty", summary: "Taken from them for each time that they are there.",
      example: "0.5", in: -.greatestFiniteMagnitude ... .infinity,
      \.generation.sampling.frequencyPenalty),
    .number(
      "dry-multiplier", summary: "What tokens lose that would go on repeating; 0: nothing.",
      example: "0.8", in: 0 ... .infinity, \.generation.sampling.dryMultiplier),
    .number(
      "dry-base", summary: "By which factor that grows with each token repeated.",
      example: "1.75", in: 0 ... .infinity, \.generation.sampling.dryBase),
    .integer(
      "dry-allowed-length", summary: "Tokens that may be repeated for nothing.", example: "2",
      in: 0 ... .max, \.generation.sampling.dryAllowedLength),
    .integer(
      "dry-penalty-last-n", summary: "Latest tokens that count for repetitions; -1: all.",
      example: "-1", in: -1 ... .max, \.generation.sampling.dryLastCount),
    .texts(
      "dry-sequence-breaker", summary: "A text past which repetitions do not go, or none.",
      example: ";", \.dryBreakers),
    OptionEntry(
      name: "logit-bias", summary: "Makes a token more or less probable, or forbids it.",
      example: "15+1", isRepeatable: true
    ) { text, options throws(WantedValue) in
      guard let bias = TokenBias(parsing: text) else { throw WantedValue(text: TokenBias.wanted) }
      options.generation.sampling.logitBiases[bias.token, default: 0] += bias.bias
    },
  ]
}
