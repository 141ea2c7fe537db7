import MoEAnalysis
import MoECompression
import MoECore
import MoEReport
import MoEStore

/// The order by co-use in which a bundle has a model's experts, as a trace of the model gives it.
struct PackOrder {
  /// (layer): its experts in the order in which they are written.
  let experts: [Int: [Int]]
  /// What the order does for the trace that gave it; a line.
  let text: String

  init(traceAt path: String, of source: PackSource) throws {
    let trace = try TraceArgument.trace(at: path)
    let layers = source.routedLayers
    let counts = layers.map { source.expertCount(ofLayer: $0) }
    guard counts.allSatisfy({ $0 <= CoUse.expertCountMax }) else {
      throw Failure.runtime(
        "\(source.files[0].path): its layers have more than \(CoUse.expertCountMax) experts, which "
          + "are too many to order by a trace; leave --trace out")
    }
    do {
      try trace.check(
        layerCount: layers.count, expertCount: counts.max() ?? 0,
        expertsPerToken: source.expertsPerTokenMax, name: path)
    } catch {
      throw Failure.runtime(error.description)
    }
    var experts: [Int: [Int]] = [:]
    var (byNumber, byCoUse) = (0.0, 0.0)
    for (number, layer) in layers.enumerated() {
      let tokens = [0..<trace.tokenCount]
      let coUse = CoUse(
        trace, layer: number, expertCount: max(counts[number], trace.expertCount), tokens: tokens)
      // A layer may have fewer experts than others; the trace's are among the largest layer's.
      let order = coUse.order().filter { $0 < counts[number] }
      let all = 0..<coUse.expertCount
      let whole = order + all.dropFirst(counts[number])
      byNumber +=
        CoUse.spread(trace, layer: number, tokens: tokens, order: Array(all))
        .passedOverCount
      byCoUse += CoUse.spread(trace, layer: number, tokens: tokens, order: whole).passedOverCount
      experts[layer] = order
    }
    self.experts = experts
    let scale = 1 / Double(max(1, layers.count))
    text =
      "order     by co-use: \(Decimals.text(byCoUse * scale, 1)) experts lie between those of a "
      + "token of the trace, \(Decimals.text(byNumber * scale, 1)) by number\n"
  }
}
