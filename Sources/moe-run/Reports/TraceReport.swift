import MoEAnalysis
import MoECore
import MoEReport

/// What `trace info` writes; with `--json` these properties in snake_case as its keys.
struct TraceReport: Encodable {
  /// All sequences of one label.
  struct Text: Encodable {
    let label: String
    var sequences = 0
    var tokens = 0
  }

  let trace: String
  let model: String
  let modelHash: String?
  let precision: String
  let experts: Int
  let expertsPerToken: Int
  let nativeExpertsPerToken: Int?
  /// What changed the router's choices, as the recorder wrote it.
  let gating: String?
  /// Blocks of the model that the trace's layers are.
  let layers: [Int]
  let tokens: Int
  let sequences: Int
  /// Nil where the trace does not say.
  let prefillTokens: Int?
  let decodeTokens: Int?
  let passes: Int?
  let promptHash: String?
  /// What there is beside the chosen experts.
  let holds: [String]
  let texts: [Text]

  init(_ trace: RoutingTrace, path: String) {
    self.trace = path
    model = trace.metadata.model
    modelHash = trace.metadata.modelHash
    precision = trace.metadata.quantization
    experts = trace.expertCount
    expertsPerToken = trace.expertsPerToken
    nativeExpertsPerToken = trace.metadata.nativeExpertsPerToken
    gating = trace.metadata.others["gating"]?.asString
    layers = trace.metadata.layers
    tokens = trace.tokenCount
    sequences = trace.sequenceStarts.count
    prefillTokens = trace.phases.map { $0.count { $0 == .prefill } }
    decodeTokens = trace.phases.map { $0.count { $0 == .decode } }
    passes = trace.passStarts?.count
    promptHash = trace.metadata.promptHash.map(FNV1a.text)
    let held = [
      ("weights", trace.weights != nil), ("logits", trace.logits != nil),
      ("token ids", trace.tokenIDs != nil), ("phases", trace.phases != nil),
      ("passes", trace.passStarts != nil), ("labels", trace.labels != nil),
      ("empty slots", trace.hasEmptySlots),
    ]
    holds = held.filter(\.1).map(\.0)
    var texts: [Text] = []
    for (number, sequence) in trace.sequences.enumerated() {
      let label = trace.labels?[number] ?? ""
      let place = texts.firstIndex { $0.label == label } ?? texts.count
      if place == texts.count { texts.append(Text(label: label)) }
      texts[place].sequences += 1
      texts[place].tokens += sequence.count
    }
    self.texts = texts
  }
}

extension TraceReport {
  /// The report for people. Names in files may hold anything, so they are quoted.
  var text: String {
    var rows = [
      ["trace", self.trace],
      [
        "model",
        [
          model.isEmpty ? "not named" : model.quotedForMessage,
          precision.isEmpty ? nil : precision.quotedForMessage, modelHash?.quotedForMessage,
        ].compactMap(\.self).joined(separator: ", "),
      ],
      [
        "routing",
        "\(expertsPerToken) of \(experts) experts in each of \(layers.count) layers"
          + (nativeExpertsPerToken.map { $0 == expertsPerToken ? "" : ", made for \($0)" } ?? ""),
      ],
      gating.map { ["gating", $0.quotedForMessage] },
      ["tokens", "\(tokens) in \(sequences) sequences" + phaseText],
      ["holds", (["experts"] + holds).joined(separator: ", ")],
    ].compactMap(\.self)
    if let promptHash { rows.append(["prompts", promptHash]) }
    let labels = texts.map {
      [
        $0.label.isEmpty ? "not named" : $0.label.quotedForMessage, "\($0.sequences)",
        "\($0.tokens)",
      ]
    }
    return rows.map { $0[0] + String(repeating: " ", count: 10 - $0[0].count) + $0[1] + "\n" }
      .joined()
      + Columns.text([["text", "sequences", "tokens"]] + labels, right: [1, 2])
  }

  private var phaseText: String {
    guard let prefillTokens, let decodeTokens else { return "" }
    return ": \(prefillTokens) prefill, \(decodeTokens) decode"
      + (passes.map { ", \($0) passes" } ?? "")
  }
}
