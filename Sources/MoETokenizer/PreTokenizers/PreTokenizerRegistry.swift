/// A pre-tokenizer by the name that `tokenizer.ggml.pre` gives it.
package struct PreTokenizerEntry: Sendable {
  package let name: String
  /// Other names for the same, which files of other families have.
  package var aliases: [String] = []
  /// Names of `general.architecture` in files that give another pre-tokenizer, or none, and mean
  /// this one.
  package var families: [String] = []
  package let summary: String
  /// Applied one after the other.
  package let expressions: [String]
  /// Whether a word that is a token becomes it without merges.
  package var keepsWholeWords = false
  /// Whether texts begin with the begin token where the file does not say.
  var addsBeginToken = false

  func preTokenizer() throws(ExpressionError) -> PreTokenizer {
    try PreTokenizer(expressions.map { (text: $0, dropsGaps: false) })
  }

  /// The words of a text, to look at what a pre-tokenizer does: joined, they are the text.
  package func words(of text: String) throws -> [String] {
    let bytes = Array(text.utf8)
    var cutter = WordCutter(try preTokenizer())
    cutter.begin(byteCount: bytes.count)
    var words: [String] = []
    while let word = cutter.next(in: bytes.span) {
      words.append(String(decoding: bytes[word], as: UTF8.self))
    }
    return words
  }
}

/// Every pre-tokenizer there is, one line each.
package enum PreTokenizerRegistry {
  package static let all: [PreTokenizerEntry] = [
    PreTokenizerEntry(
      name: "gpt-2",
      aliases: [
        "olmo", "phi-2", "mpt", "jais", "trillion", "granite-docling", "gigachat", "a.x-4.0",
        "mellum", "exaone4",
      ], summary: "GPT-2, OLMo and OLMoE.", expressions: [PublishedExpressions.gpt2]),
    PreTokenizerEntry(
      name: "qwen2",
      aliases: [
        "deepseek-r1-qwen", "stablelm2", "hunyuan", "megrez", "solar-open", "grok-2", "kormo",
      ], summary: "Qwen2 and Qwen3, Hunyuan: single digits.",
      expressions: [PublishedExpressions.qwen2]),
    PreTokenizerEntry(
      name: "qwen35", summary: "Qwen3.5: as Qwen2 with accents as parts of words.",
      expressions: [PublishedExpressions.qwen35]),
    PreTokenizerEntry(
      name: "llama-bpe",
      aliases: ["llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"],
      summary: "Llama 3, LFM2, Nemotron 3: up to three digits, whole words first.",
      expressions: [PublishedExpressions.cl100k], keepsWholeWords: true, addsBeginToken: true),
    PreTokenizerEntry(
      name: "dbrx", aliases: ["smaug-bpe", "chatglm-bpe"],
      summary: "DBRX: as Llama 3, always merged.", expressions: [PublishedExpressions.cl100k]),
    PreTokenizerEntry(
      name: "glm4", aliases: ["glm5"], families: ["glm4moelite"],
      summary: "GLM-4: as Llama 3, no begin token.",
      expressions: [PublishedExpressions.cl100k], keepsWholeWords: true),
    PreTokenizerEntry(
      name: "gpt-4o", aliases: ["o200k", "llama4", "minimax-m2", "kanana2"],
      families: ["gptoss"],
      summary: "GPT-4o, gpt-oss, Llama 4, MiniMax-M2: words end where capitals begin.",
      expressions: [PublishedExpressions.o200k]),
    PreTokenizerEntry(
      name: "tekken", summary: "Mistral's from Nemo on: as GPT-4o with single digits.",
      expressions: [PublishedExpressions.tekken], keepsWholeWords: true, addsBeginToken: true),
    PreTokenizerEntry(
      name: "kimi-k2", summary: "Kimi-K2, Moonlight: as GPT-4o with Han characters apart.",
      expressions: [PublishedExpressions.kimiK2]),
    PreTokenizerEntry(
      name: "deepseek-v3", aliases: ["hunyuan-dense", "joyai-llm", "hy_v4"],
      summary: "DeepSeek-V3 and R1: numbers, then East Asian text, then words.",
      expressions: PublishedExpressions.deepSeekV3),
    PreTokenizerEntry(
      name: "deepseek-llm", summary: "DeepSeek LLM and V2: letters of some scripts.",
      expressions: PublishedExpressions.deepSeekLLM),
    PreTokenizerEntry(
      name: "deepseek-coder", summary: "DeepSeek Coder.",
      expressions: PublishedExpressions.deepSeekCoder),
    PreTokenizerEntry(
      name: "refact",
      aliases: [
        "starcoder", "command-r", "smollm", "codeshell", "exaone",
        "minerva-7b", "mellum2",
      ],
      summary: "Granite, StarCoder, Command-R: as GPT-2 with single digits.",
      expressions: PublishedExpressions.starCoder),
    PreTokenizerEntry(
      name: "bailingmoe", aliases: ["bailingmoe2", "llada-moe"],
      summary: "Ling and Ring: as Qwen2, written in another way.",
      expressions: [PublishedExpressions.bailingMoE]),
    PreTokenizerEntry(
      name: "seed-coder", summary: "Seed-Coder: as Qwen2, symbols without line breaks.",
      expressions: [PublishedExpressions.seedCoder]),
    PreTokenizerEntry(
      name: "exaone-moe", summary: "K-EXAONE: several words in one.",
      expressions: [PublishedExpressions.exaoneMoE]),
    PreTokenizerEntry(
      name: "afmoe", summary: "Trinity: as DeepSeek-V3 with digits in threes from their end.",
      expressions: PublishedExpressions.afmoe),
    PreTokenizerEntry(
      name: "youtu", summary: "Youtu: East Asian scripts apart, then as GPT-4o.",
      expressions: PublishedExpressions.youtu, keepsWholeWords: true),
    PreTokenizerEntry(
      name: "ufakzeka", summary: "As Qwen2 without English contractions.",
      expressions: [PublishedExpressions.qwen2WithoutContractions]),
    PreTokenizerEntry(
      name: "bloom", aliases: ["poro-chat", "gpt3-finnish"], summary: "BLOOM and Poro.",
      expressions: [PublishedExpressions.bloom]),
    PreTokenizerEntry(
      name: "viking", summary: "Viking: as BLOOM with single digits.",
      expressions: [PublishedExpressions.bloom, #"\p{N}"#]),
    PreTokenizerEntry(
      name: "falcon", summary: "Falcon: punctuation apart, digits in threes.",
      expressions: PublishedExpressions.falcon),
  ]

  /// What a file means that names none: GPT-2 was the only one when files did not name it.
  static let defaultName = "gpt-2"

  /// What some converters write where they know none.
  static let unnamed = "default"

  /// The names and aliases in the order of the registry.
  package static var names: [String] { all.flatMap { [$0.name] + $0.aliases } }

  static func entry(named name: String) -> PreTokenizerEntry? {
    all.first { $0.name == name || $0.aliases.contains(name) }
  }
}
