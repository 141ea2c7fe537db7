import MoECore
import MoEExperts
import MoEKernels
import MoEModel
import MoESynthetic

/// What the router makes of logits, with a gating or without, as arrays.
struct RoutedTokens {
  /// (token): experts, best first.
  var experts: [[Int]] = []
  /// (token): whether copies in fewer bits are taken of these.
  var isLow: [[Bool]] = []
  /// (token): weights of these.
  var weights: [[Float]] = []

  var weightBits: [[UInt32]] { weights.map { $0.map(\.bitPattern) } }

  /// - Parameter logits: (token, expert)
  init(
    _ logits: [[Float]], expertsPerToken: Int, renormalizes: Bool = true, layer: Int = 0,
    residents: Set<Int> = [], gating: inout (any Gating)?
  ) throws {
    try self.init(
      logits,
      router: RouterDescription(
        expertCount: logits[0].count, expertsPerToken: expertsPerToken,
        renormalizesWeights: renormalizes),
      layer: layer, residents: residents, gating: &gating)
  }

  /// - Parameters:
  ///   - logits: (token, expert)
  ///   - bias, scales: (expert), where the router has them.
  ///   - text: A gating, written as the command line has it.
  init(
    _ logits: [[Float]], router description: RouterDescription, bias: [Float]? = nil,
    scales: [Float]? = nil, residents: Set<Int> = [], gating text: String = "off"
  ) throws {
    var gating = try Self.gating(
      text, expertCount: description.expertCount, expertsPerToken: description.expertsPerToken)
    try self.init(
      logits, router: description, bias: bias, scales: scales, residents: residents,
      gating: &gating)
  }

  private init(
    _ logits: [[Float]], router description: RouterDescription, bias: [Float]? = nil,
    scales: [Float]? = nil, layer: Int = 0, residents: Set<Int> = [],
    gating: inout (any Gating)?
  ) throws {
    let (tokenCount, expertCount) = (logits.count, description.expertCount)
    let expertsPerToken = description.expertsPerToken
    let selectedCount = tokenCount * expertsPerToken
    let memory = try RoutedMemory(
      floatCount: 2 * tokenCount * expertCount + selectedCount + 2 * expertCount,
      indexCount: selectedCount)
    defer { withExtendedLifetime(memory) {} }
    let logitCount = tokenCount * expertCount
    let rows = FloatRows(
      memory.floats.slice(0, count: logitCount), rowCount: tokenCount, columnCount: expertCount)
    for (token, values) in logits.enumerated() {
      for (expert, value) in values.enumerated() { rows.row(token)[expert] = value }
    }
    let scratch = FloatRows(
      memory.floats.slice(logitCount, count: logitCount), rowCount: tokenCount,
      columnCount: expertCount)
    let selection = Selection(
      tokenCount: tokenCount, expertsPerToken: expertsPerToken, experts: memory.indices,
      weights: memory.floats.slice(2 * logitCount, count: selectedCount),
      expertStride: expertsPerToken, weightStride: expertsPerToken)
    func vector(_ values: [Float]?, _ index: Int) -> FloatView? {
      let start = 2 * logitCount + selectedCount + index * expertCount
      let view = memory.floats.slice(start, count: expertCount)
      values?.enumerated().forEach { view[$0] = $1 }
      return values == nil ? nil : view
    }
    let (biasView, scaleView) = (vector(bias, 0), vector(scales, 1))
    let router = Router(description: description)
    var total = selectedCount
    if var some = gating {
      total = router.select(
        logits: rows, probabilities: scratch, selectionBias: biasView, expertScales: scaleView,
        into: selection, layer: layer, residency: Residents(residents), gating: &some)
      gating = some
    } else {
      router.select(
        logits: rows, probabilities: scratch, selectionBias: biasView, expertScales: scaleView,
        into: selection)
    }
    for token in 0..<tokenCount {
      let ranks = 0..<selection.count(token: token)
      experts.append(ranks.map { selection.expert(token: token, rank: $0) })
      isLow.append(ranks.map { selection.isLow(token: token, rank: $0) })
      weights.append(ranks.map { selection.weight(token: token, rank: $0) })
    }
    precondition(experts.reduce(0) { $0 + $1.count } == total)
  }

  /// One token under a gating that is written so, made anew.
  init(
    _ logits: [Float], _ text: String, expertsPerToken: Int, renormalizes: Bool = true,
    layer: Int = 0, layerCount: Int = 4, residents: Set<Int> = []
  ) throws {
    var gating = try Self.gating(
      text, layerCount: layerCount, expertCount: logits.count, expertsPerToken: expertsPerToken)
    try self.init(
      [logits], expertsPerToken: expertsPerToken, renormalizes: renormalizes, layer: layer,
      residents: residents, gating: &gating)
  }

  static func gating(
    _ text: String, layerCount: Int = 4, expertCount: Int, expertsPerToken: Int
  ) throws -> (any Gating)? {
    try GatingRegistry.parse(text)?(
      GatingShape(
        layerCount: layerCount, expertCount: expertCount, expertsPerToken: expertsPerToken,
        hasLowCopies: true))
  }
}

/// Room for floats and expert numbers.
final class RoutedMemory {
  private let buffer: AlignedBuffer
  let floats: FloatView
  let indices: IndexView

  init(floatCount: Int, indexCount: Int) throws {
    let buffer = try AlignedBuffer(byteCount: 4 * (floatCount + indexCount))
    floats = buffer.floats(count: floatCount)
    let bytes = buffer.bytes(atOffset: 4 * floatCount, count: 4 * indexCount)
    indices = unsafe IndexView(
      bytes.pointer.assumingMemoryBound(to: UInt32.self), count: indexCount)
    self.buffer = buffer
  }
}

/// Experts of any layer that are in memory.
final class Residents: ExpertResidency {
  private let experts: Set<Int>

  init(_ experts: Set<Int>) { self.experts = experts }

  func isResident(layer: Int, expert: Int) -> Bool { experts.contains(expert) }
}
