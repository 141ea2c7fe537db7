#if canImport(Glibc)
  private import Glibc
#else
  private import Musl
#endif

/// Learns, while a model runs, how soon each expert will be used again.
///
/// An expert's estimate V is the logistic function of a sum of
///
/// - a bias of the expert: how often it is used at all;
/// - how long ago it was used, as powers of age with a few bases (weights shared by all layers);
/// - for each expert that the layer's last tokens selected, a weight from that one to this one:
///   what follows upon what. The last token counts full, those before it less;
/// - the same for the experts that the last token selected in the two layers before.
///
/// After each token every estimate takes one step of stochastic gradient descent towards 1 for the
/// experts that the token used, and towards discount * V, as estimated now, for the others
/// (temporal differences: Sutton 1988). Nothing is learnt beforehand, and nothing is known of the
/// future.
///
/// The notes of where a text stands, age and last selections, are kept for each sequence, and so
/// are its estimates; all sequences learn one set of weights. Estimates of several sequences count
/// together as if independent: 1 less the product of 1 - V. A sequence that lies idle for long
/// counts nothing until it goes on.
///
/// Work per layer and token is linear in the layer's experts: of weights, only the rows of selected
/// experts are read and changed.
struct ReusePredictor: ReuseEstimator {
  /// Values of 0.7 to 0.9 differ by less than 0.3 points of hit rate.
  let discount: Float = 0.8
  /// How much the selections of the last tokens count, the last one first.
  static let fadings: [Float] = [1, 0.6, 0.3]
  /// Layers before this one whose selections count.
  static let layersBack = 2
  /// Step of biases and weights; and of the weights of recency, over the root of the sum of their
  /// squared gradients (AdaGrad, Duchi and others 2011).
  static let (rate, recencyRate): (Float, Float) = (0.03, 0.02)
  /// Bases of the powers of age: just used, used within some ten tokens, within some hundred.
  static let bases: [Float] = [0, 0.875, 0.99]
  static let (firstBias, firstRecencyWeight): (Float, Float) = (-2, 0.5)
  /// Steps of a layer after which a sequence without a token in them counts nothing.
  static let idleStepCountMax = 32

  typealias Vector = SIMD8<Float>

  /// (layer): vectors of eight experts, of which the last may be filled up.
  private let widths: [Int]
  /// (layer)
  private let expertCounts: [Int]
  /// (layer): its first vector in arrays of one number for each expert.
  private let starts: [Int]
  /// (layer, source): the first row of weights from a source layer; source 0 is the layer itself.
  private let rowStarts: [Int]
  /// (layer, source): the source layer, -1 where there is none.
  private let sources: [Int]

  /// Vectors of one number for each expert.
  private let vectorCount: Int

  /// (sequence, layer, expert)
  private var estimates: [Vector]
  /// (layer, expert)
  private var biases: [Vector]
  /// (sequence, layer, base, expert): powers of age.
  private var recencies: [Vector]
  /// (layer): its steps so far.
  private var stepCounts: [Int]
  /// (sequence, layer): the layer's last step with a token of the sequence; far below zero where
  /// there is none.
  private var lastSteps: [Int]
  private var recencyWeights: [Float]
  private var recencySquares: [Float]
  /// (layer, source, selected expert, expert)
  private var weights: [Vector]
  private var history: SelectionHistory
  /// Working space for one layer: the estimates of now, by how much those of before were wrong, the
  /// powers of age before, and the rows of weights that count.
  private var fresh: [Vector]
  private var errors: [Vector]
  private var earlierRecencies: [Vector]
  private var rows = WeightRows()

  init(geometry: CacheGeometry) {
    expertCounts = geometry.layers.map(\.expertCount)
    widths = expertCounts.map { ($0 + 7) / 8 }
    var (starts, end) = ([Int](), 0)
    for width in widths {
      starts.append(end)
      end += width
    }
    self.starts = starts
    vectorCount = end
    let sequenceCount = geometry.sequenceCountMax
    sources = Self.sources(geometry)
    (rowStarts, weights) = Self.emptyWeights(geometry, sources: sources, widths: widths)
    biases = [Vector](repeating: Vector(repeating: Self.firstBias), count: end)
    estimates = [Vector](repeating: .zero, count: end * sequenceCount)
    recencies = [Vector](repeating: .zero, count: end * Self.bases.count * sequenceCount)
    stepCounts = [Int](repeating: 0, count: geometry.layers.count)
    lastSteps = [Int](repeating: Self.never, count: geometry.layers.count * sequenceCount)
    recencyWeights = Self.bases.map { _ in Self.firstRecencyWeight }
    recencySquares = Self.bases.map { _ in 1 }
    history = SelectionHistory(layerCount: geometry.layers.count * sequenceCount)
    let widest = widths.max() ?? 0
    fresh = [Vector](repeating: .zero, count: widest)
    errors = fresh
    earlierRecencies = [Vector](repeating: .zero, count: widest * Self.bases.count)
  }

  /// For each layer, itself and the layers with experts before it, nearest first.
  private static func sources(_ geometry: CacheGeometry) -> [Int] {
    var sources: [Int] = []
    var before: [Int] = []
    for layer in geometry.layers.indices {
      sources.append(layer)
      for back in 0..<layersBack { sources.append(back < before.count ? before[back] : -1) }
      if geometry.layers[layer].expertCount > 0 { before.insert(layer, at: 0) }
    }
    return sources
  }

  private static func emptyWeights(
    _ geometry: CacheGeometry, sources: [Int], widths: [Int]
  ) -> (rowStarts: [Int], weights: [Vector]) {
    var (rowStarts, end) = ([Int](), 0)
    for (index, source) in sources.enumerated() {
      rowStarts.append(end)
      if source < 0 { continue }
      end += geometry.layers[source].expertCount * widths[index / (1 + layersBack)]
    }
    return (rowStarts, [Vector](repeating: .zero, count: end))
  }

  static func byteCount(_ geometry: CacheGeometry) -> Int {
    let widths = geometry.layers.map { ($0.expertCount + 7) / 8 }
    let sources = Self.sources(geometry)
    let rows = sources.enumerated().reduce(0) { sum, item in
      item.element < 0
        ? sum
        : sum + geometry.layers[item.element].expertCount * widths[item.offset / (1 + layersBack)]
    }
    let sequenceCount = geometry.sequenceCountMax
    let vectors = rows + widths.reduce(0, +) * (1 + sequenceCount * (1 + bases.count))
    let selectionByteCount = 2 * SelectionHistory.rankCount + 10
    return vectors * MemoryLayout<Vector>.stride
      + sequenceCount * geometry.layers.count * SelectionHistory.tokenCount * selectionByteCount
  }

  private static let never = -idleStepCountMax - 1

  private var layerCount: Int { starts.count }

  mutating func endSequence(_ sequence: Int) {
    for layer in 0..<layerCount { lastSteps[sequence * layerCount + layer] = Self.never }
  }

  mutating func write(layer: Int, to estimates: inout [Float], from first: Int) {
    stepCounts[layer] += 1
    let (start, width) = (starts[layer], widths[layer])
    var count = 0
    for sequence in 0..<lastSteps.count / layerCount
    where stepCounts[layer] - lastSteps[sequence * layerCount + layer] <= Self.idleStepCountMax {
      count += 1
      let own = sequence * vectorCount + start
      for index in 0..<width {
        let value = self.estimates[own + index]
        fresh[index] = count == 1 ? value : fresh[index] + value - fresh[index] * value
      }
    }
    if count == 0 { for index in 0..<width { fresh[index] = .zero } }
    let combined = fresh
    let end = first + expertCounts[layer]
    Self.write(combined.span.extracting(0..<width), to: &estimates, first..<end)
  }

  private static func write(
    _ vectors: Span<Vector>, to estimates: inout [Float], _ range: Range<Int>
  ) {
    let (first, end) = (range.lowerBound, range.upperBound)
    var written = estimates.mutableSpan
    var next = first
    for index in vectors.indices {
      let vector = vectors[index]
      if next + 8 <= end {
        for lane in 0..<8 { written[next + lane] = vector[lane] }
      } else {
        for lane in 0..<end - next { written[next + lane] = vector[lane] }
      }
      next += 8
    }
  }

  /// Estimates are only learnt from where the token follows upon the layer's last one. A time that
  /// is not later than that renews them without learning.
  mutating func add(_ selection: Span<Int>, layer: Int, sequence: Int, time: Int) {
    let place = sequence * layerCount + layer
    lastSteps[place] = stepCounts[layer] + 1
    let last = history.lastTimes[place]
    let time = max(time, last)
    let learns = last >= 0 && time == last + 1
    advance(layer, of: sequence, by: last < 0 ? 0 : time - last, to: selection)
    history.add(selection, layer: place, time: time)
    estimate(layer, of: sequence, time: time)
    if learns { learn(selection, layer, of: sequence, time: last) }
    let (first, width, fresh) = (sequence * vectorCount + starts[layer], widths[layer], fresh)
    var known = estimates.mutableSpan
    for index in 0..<width { known[first + index] = fresh[index] }
  }

  /// Ages the layer's experts by some tokens, and makes those selected as young as can be.
  private mutating func advance(
    _ layer: Int, of sequence: Int, by count: Int, to selection: Span<Int>
  ) {
    let width = widths[layer]
    let first = (sequence * vectorCount + starts[layer]) * Self.bases.count
    for index in 0..<width * Self.bases.count {
      earlierRecencies[index] = recencies[first + index]
    }
    var powers = recencies.mutableSpan
    for base in Self.bases.indices {
      let start = first + base * width
      let factor = count == 1 ? Self.bases[base] : powf(Self.bases[base], Float(count))
      for index in start..<start + width { powers[index] *= factor }
      for rank in selection.indices {
        let expert = selection[rank]
        powers[start + expert >> 3][expert & 7] = 1
      }
    }
  }

  /// Puts into `rows` which rows of weights count for a layer's estimates as of a sequence's time.
  private mutating func gatherRows(_ layer: Int, of sequence: Int, time: Int) {
    rows.removeAll()
    let firstPlace = sequence * layerCount
    let (first, width) = (layer * (1 + Self.layersBack), widths[layer])
    // What counts full stands together: the last token, and the layers before.
    for source in first...first + Self.layersBack where sources[source] >= 0 {
      let places = history.places(layer: firstPlace + sources[source], time: time)
      rows.append(history, places, from: rowStarts[source], width: width)
    }
    rows.endGroup(factor: Self.fadings[0])
    for back in 1..<Self.fadings.count {
      let places = history.places(layer: firstPlace + layer, time: time - back)
      rows.append(history, places, from: rowStarts[first], width: width)
      rows.endGroup(factor: Self.fadings[back])
    }
  }

  /// The estimates of a layer as of a sequence's time, into `fresh`.
  private mutating func estimate(_ layer: Int, of sequence: Int, time: Int) {
    gatherRows(layer, of: sequence, time: time)
    let (width, start) = (widths[layer], starts[layer])
    let ownStart = (sequence * vectorCount + start) * Self.bases.count
    // Names of their own, so that spans of them do not hold on to the whole predictor.
    let (rows, weights, recencies, recencyWeights) = (rows, weights, recencies, recencyWeights)
    let biases = biases
    var sums = fresh.mutableSpan
    for index in 0..<width { sums[index] = biases[start + index] }
    for base in Self.bases.indices {
      let weight = recencyWeights[base]
      let first = ownStart + base * width
      let powers = recencies.span.extracting(first..<first + width)
      for index in powers.indices { sums[index] += powers[index] * weight }
    }
    rows.addSums(of: weights.span, width: width, to: &sums)
    for index in 0..<width { sums[index] = logistic(sums[index]) }
  }

  /// Moves what the estimates were made of at `time`, the token before, towards what they should
  /// have been: `estimates` holds those, `fresh` the ones of now.
  private mutating func learn(
    _ selection: Span<Int>, _ layer: Int, of sequence: Int, time: Int
  ) {
    let (width, start) = (widths[layer], sequence * vectorCount + starts[layer])
    let (fresh, estimates, discount) = (fresh, estimates, discount)
    var wrong = errors.mutableSpan
    for index in 0..<width { wrong[index] = fresh[index] * discount }
    for rank in selection.indices { wrong[selection[rank] >> 3][selection[rank] & 7] = 1 }
    for index in 0..<width { wrong[index] -= estimates[start + index] }
    learn(layer, of: sequence, time: time)
  }

  /// Moves weights and biases by `errors`.
  private mutating func learn(_ layer: Int, of sequence: Int, time: Int) {
    let (width, start) = (widths[layer], starts[layer])
    for base in Self.bases.indices {
      var sum = Vector.zero
      for index in 0..<width { sum += errors[index] * earlierRecencies[base * width + index] }
      let gradient = sum.sum()
      recencySquares[base] += gradient * gradient
      recencyWeights[base] += Self.recencyRate * gradient / recencySquares[base].squareRoot()
    }
    gatherRows(layer, of: sequence, time: time)
    let (rows, errors) = (rows, errors)
    var constant = biases.mutableSpan
    for index in 0..<width { constant[start + index] += errors[index] * Self.rate }
    var all = weights.mutableSpan
    rows.add(errors.span.extracting(0..<width), times: Self.rate, to: &all)
  }
}
