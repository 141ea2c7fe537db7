import MoERuntime

/// The options of loading, by the names that moe-run's flags have.
enum LoadingOptionRegistry {
  static let all: [OptionEntry<EngineOptions>] = memory + machine + experts

  private static let memory: [OptionEntry<EngineOptions>] = [
    .size(
      "memory", summary: "All that the process may hold: a size, or a share of the files.",
      example: "4G", \.memory),
    .size(
      "expert-pool", summary: "Caps the pool of routed experts: a size, or a share of all.",
      example: "30%", \.expertPool),
    .integer(
      "ctx-size", summary: "Positions to hold keys and values for; 0: the model's own.",
      example: "2048", in: 0...1 << 24, \.contextLength),
    .choice(
      "kv-type", summary: "Number type of keys and values.", example: "f16", \.kvCacheType),
    .integer(
      "chunk", summary: "Prompt tokens that are run together.", example: "256",
      in: 1...1 << 16, \.chunkTokenCount),
    .truth(
      "grammars", summary: "Plan memory for texts with a grammar or a JSON schema.",
      \.holdsGrammars),
    .integer(
      "keep", summary: "Texts whose state is kept besides those in progress.", example: "4",
      in: 0...256, \.keptStateCount),
  ]

  private static let machine: [OptionEntry<EngineOptions>] = [
    .integer(
      "threads", summary: "Worker threads; without it one per processor.", example: "2",
      in: 1...256, \.threadCount),
    .integer(
      "parallel", summary: "Texts that are generated at the same time.", example: "2",
      in: 1...256, \.parallelRequestCount),
    .integer(
      "queue", summary: "Prompts that may wait besides; without it any number.", example: "64",
      in: 0...1 << 20, \.queueLength),
    .number(
      "prefill-share", summary: "Share of the time for prompts while texts are generated.",
      example: "0.5", in: 0...1, isOpen: true, \.prefillShare),
    .choice(
      "speculate", summary: "Who guesses tokens, so that a step verifies several.",
      example: "ngram", \.speculation),
    .choice("store", summary: "How weights are read.", example: "pread", \.store),
    .integer(
      "io-depth", summary: "Reads in flight at once.", example: "32", in: 1...1024,
      \.inputDepth),
    .texts(
      "mirror", summary: "A copy of the model's file on another disk, read at the same time.",
      example: "copy.gguf", \.mirrors),
  ]

  private static let experts: [OptionEntry<EngineOptions>] = [
    OptionEntry(
      name: "placement", summary: "Where experts are kept: auto, resident or offloaded.",
      example: "offloaded"
    ) { text, options throws(WantedValue) in
      let choices: KeyValuePairs<String, ExpertPlacement> = [
        "auto": .automatic, "resident": .resident, "offloaded": .offloaded,
      ]
      guard let choice = choices.first(where: { $0.key == text }) else {
        throw WantedValue(oneOf: choices.map(\.key))
      }
      options.placement = choice.value
    },
    .choice(
      "cache-policy", summary: "Who is evicted from the pool.", example: "lru", \.cachePolicy),
    .choice(
      "predictor", summary: "Who guesses which experts are read ahead.", example: "off",
      \.predictor),
    .integer(
      "staging-slots", summary: "Slots for reading experts ahead.", example: "4", in: 1...256,
      \.stagingSlotCount),
    OptionEntry(
      name: "bundle", summary: "A bundle of the model's experts, which are read from it.",
      example: "model.moebundle"
    ) { text, options throws(WantedValue) in options.bundle = .file(text) },
    OptionEntry(
      name: "no-bundle", summary: "Read experts from the model's own file in any case.",
      example: "true"
    ) { text, options throws(WantedValue) in
      options.bundle = try OptionValue.truth(text) ? .none : .automatic
    },
    .truth(
      "low-resident", summary: "Hold the bundle's copies of experts in fewer bits.",
      \.holdsLowCopies),
    .number(
      "read-behind", summary: "Experts that such copies answered for, read for next time.",
      example: "2", in: 0...65_536, \.readBehindCount),
    .truth(
      "warm-start", summary: "Begin with the experts that the last run used most.",
      \.warmStart),
  ]
}
