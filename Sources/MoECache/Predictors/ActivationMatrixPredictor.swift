package import MoECore

/// Prediction by activation matrices: texts of a kind use the same experts, so a layer will take
/// what it took in the past text whose use of experts is nearest to that of this one
/// (MoE-Infinity, arXiv 2401.14361).
///
/// A sequence's matrix, (layer, expert), counts its tokens. Matrices of past sequences are kept
/// with rows of length 1, and nearness is the mean over the layers seen so far of the cosine of
/// their rows. Once there are as many as can be kept, that of a sequence which ends replaces the
/// nearest.
///
/// An expert's score is its element of the nearest matrix plus that of the sequence's own, with a
/// row of length 1 too. The paper takes the nearest alone; of the experts that 3000 tokens of a
/// trace of gpt-oss-20b took, the sum named 40 %, the nearest 31 %.
package struct ActivationMatrixPredictor: ExpertPredictor {
  /// Matrices that are kept.
  package static let matrixCountMax = 32

  package var isLearning = true
  private let shape: PredictorShape
  /// (token): whose it is, in the step in progress.
  private var owners: [Int]
  /// (sequence, layer, expert): tokens of the sequence so far; and of one run of a step in one
  /// layer, (expert).
  private var counts: [Float]
  private var runCounts: [Float]
  /// (sequence, layer): sum of the squares of its counts.
  private var squares: [Double]
  private var matrixCount = 0
  /// (layer, expert, matrix): side by side, since all of them are compared at once.
  private var matrices: [Float]
  /// (sequence, layer, matrix): product of the sequence's row with the matrix's.
  private var products: [Double]
  /// (sequence, layer, matrix): its share in the similarity, and the sum of these over the layers,
  /// (sequence, matrix).
  private var cosines: [Double]
  private var similarities: [Double]

  package init(_ shape: PredictorShape) {
    self.shape = shape
    let (layers, sequences) = (shape.layerCount, shape.sequenceCountMax)
    owners = Array(repeating: 0, count: shape.tokenCountMax)
    counts = Array(repeating: 0, count: shape.cellCount * sequences)
    runCounts = Array(repeating: 0, count: shape.expertCount)
    squares = Array(repeating: 0, count: layers * sequences)
    matrices = Array(repeating: 0, count: shape.cellCount * Self.matrixCountMax)
    products = Array(repeating: 0, count: layers * Self.matrixCountMax * sequences)
    cosines = products
    similarities = Array(repeating: 0, count: Self.matrixCountMax * sequences)
  }

  package static func byteCount(_ shape: PredictorShape) -> Int {
    let sequenceByteCount =
      4 * shape.cellCount + 8 * shape.layerCount * (2 * matrixCountMax + 1) + 8 * matrixCountMax
    return 4 * shape.cellCount * matrixCountMax + 4 * shape.expertCount
      + sequenceByteCount * shape.sequenceCountMax
  }

  package mutating func beginSequence(_ sequence: SequenceID) { forget(sequence.rawValue) }

  package mutating func endSequence(_ sequence: SequenceID) {
    let layers = rows(of: sequence.rawValue)
    if isLearning && layers.contains(where: { squares[$0] > 0 }) { keep(sequence.rawValue) }
    forget(sequence.rawValue)
  }

  /// (layer): the places of a sequence's numbers.
  private func rows(of sequence: Int) -> Range<Int> {
    sequence * shape.layerCount..<(sequence + 1) * shape.layerCount
  }

  private mutating func forget(_ sequence: Int) {
    let rows = rows(of: sequence)
    for index in sequence * shape.cellCount..<(sequence + 1) * shape.cellCount { counts[index] = 0 }
    for row in rows { squares[row] = 0 }
    let width = Self.matrixCountMax
    for index in rows.lowerBound * width..<rows.upperBound * width {
      products[index] = 0
      cosines[index] = 0
    }
    for index in sequence * width..<(sequence + 1) * width { similarities[index] = 0 }
  }

  /// Adds a sequence's matrix to those of the past; the others in progress are compared with it
  /// from now on.
  private mutating func keep(_ sequence: Int) {
    var place = matrixCount
    if matrixCount < Self.matrixCountMax { matrixCount += 1 } else { place = nearest(sequence) }
    for layer in 0..<shape.layerCount {
      let square = squares[sequence * shape.layerCount + layer]
      let scale = square > 0 ? Float(1 / square.squareRoot()) : 0
      for cell in shape.firstCells[layer]..<shape.firstCells[layer + 1] {
        matrices[cell * Self.matrixCountMax + place] =
          counts[sequence * shape.cellCount + cell] * scale
      }
    }
    for other in 0..<shape.sequenceCountMax where other != sequence { compare(other, with: place) }
  }

  /// A sequence's likeness to a matrix, anew.
  private mutating func compare(_ sequence: Int, with matrix: Int) {
    var similarity = 0.0
    for layer in 0..<shape.layerCount {
      var product = 0.0
      for cell in shape.firstCells[layer]..<shape.firstCells[layer + 1] {
        product +=
          Double(counts[sequence * shape.cellCount + cell])
          * Double(matrices[cell * Self.matrixCountMax + matrix])
      }
      let row = sequence * shape.layerCount + layer
      let cosine = squares[row] > 0 ? product / squares[row].squareRoot() : 0
      products[row * Self.matrixCountMax + matrix] = product
      cosines[row * Self.matrixCountMax + matrix] = cosine
      similarity += cosine
    }
    similarities[sequence * Self.matrixCountMax + matrix] = similarity
  }

  /// The matrix of the past that is nearest to a sequence; the oldest of equals.
  private func nearest(_ sequence: Int) -> Int {
    let first = sequence * Self.matrixCountMax
    var best = 0
    for matrix in 1..<max(1, matrixCount)
    where similarities[first + matrix] > similarities[first + best] {
      best = matrix
    }
    return best
  }

  package mutating func beginStep(_ runs: Span<SequenceRun>) {
    var token = 0
    for index in runs.indices {
      let end = min(token + runs[index].rowCount, owners.count)
      while token < end {
        owners[token] = runs[index].sequence.rawValue
        token += 1
      }
    }
  }

  package mutating func observe(layer: Int, experts: Span<Int32>) {
    let width = shape.layers[layer].expertsPerToken
    let tokenCount = min(experts.count / width, owners.count)
    var token = 0
    while token < tokenCount {
      let owner = owners[token]
      var end = token
      while end < tokenCount, owners[end] == owner { end += 1 }
      for index in token * width..<end * width where experts[index] >= 0 {
        runCounts[Int(experts[index])] += 1
      }
      addRun(of: owner, layer: layer)
      token = end
    }
  }

  /// Adds `runCounts`, and leaves it empty.
  private mutating func addRun(of sequence: Int, layer: Int) {
    let row = sequence * shape.layerCount + layer
    let places = row * Self.matrixCountMax
    for expert in 0..<shape.layers[layer].expertCount where runCounts[expert] > 0 {
      let cell = shape.firstCells[layer] + expert
      let own = sequence * shape.cellCount + cell
      let added = runCounts[expert]
      squares[row] += Double(added) * Double(2 * counts[own] + added)
      counts[own] += added
      runCounts[expert] = 0
      for matrix in 0..<matrixCount {
        products[places + matrix] +=
          Double(added) * Double(matrices[cell * Self.matrixCountMax + matrix])
      }
    }
    guard squares[row] > 0 else { return }
    let scale = 1 / squares[row].squareRoot()
    for matrix in 0..<matrixCount {
      let cosine = products[places + matrix] * scale
      similarities[sequence * Self.matrixCountMax + matrix] += cosine - cosines[places + matrix]
      cosines[places + matrix] = cosine
    }
  }

  package func score(layer: Int, token: Int, into scores: inout [Float]) {
    let sequence = owners[min(token, owners.count - 1)]
    let first = shape.firstCells[layer]
    let square = squares[sequence * shape.layerCount + layer]
    let scale = square > 0 ? Float(1 / square.squareRoot()) : 0
    let own = sequence * shape.cellCount + first
    for expert in scores.indices { scores[expert] = 0 }
    let expertCount = min(scores.count, shape.layers[layer].expertCount)
    for expert in 0..<expertCount { scores[expert] = counts[own + expert] * scale }
    guard matrixCount > 0 else { return }
    let matrix = nearest(sequence)
    for expert in 0..<expertCount {
      scores[expert] += matrices[(first + expert) * Self.matrixCountMax + matrix]
    }
  }
}
