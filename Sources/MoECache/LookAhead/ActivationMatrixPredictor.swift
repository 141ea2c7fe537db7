/// Look-ahead by activation matrices: texts of a kind use the same experts, so a layer will take
/// what it took in the past text whose use of experts is nearest to that of this one
/// (MoE-Infinity, arXiv 2401.14361).
///
/// A sequence's matrix, (layer, expert), counts its tokens. Matrices of past sequences are kept
/// with rows of length 1, and nearness is the mean over the layers seen so far of the cosine of
/// their rows. Once there are as many as can be kept, a new one replaces the nearest.
///
/// An expert's score is its element of the nearest matrix plus that of the sequence's own, with a
/// row of length 1 too. The paper takes the nearest alone; of the experts that 3000 tokens of a
/// trace of gpt-oss-20b took, the sum named 40 %, the nearest 31 %.
package struct ActivationMatrixPredictor: LookAheadPredictor {
  /// Matrices that are kept.
  package static let matrixCountMax = 32

  package var isLearning = true
  private let shape: LookAheadShape
  /// (layer, expert): tokens of the sequence so far; and of one step in one layer.
  private var counts: [Float]
  private var stepCounts: [Float]
  /// (layer): sum of the squares of its counts.
  private var squares: [Double]
  private var matrixCount = 0
  /// (layer, expert, matrix): side by side, since all of them are compared at once.
  private var matrices: [Float]
  /// (layer, matrix): product of the sequence's row with the matrix's.
  private var products: [Double]
  /// (layer, matrix): its share in the similarity, and the sum of these over the layers, (matrix).
  private var cosines: [Double]
  private var similarities: [Double]

  package init(_ shape: LookAheadShape) {
    self.shape = shape
    let (layers, experts, matrices) = (shape.layerCount, shape.expertCount, Self.matrixCountMax)
    counts = Array(repeating: 0, count: layers * experts)
    stepCounts = Array(repeating: 0, count: experts)
    squares = Array(repeating: 0, count: layers)
    self.matrices = Array(repeating: 0, count: layers * experts * matrices)
    products = Array(repeating: 0, count: layers * matrices)
    cosines = products
    similarities = Array(repeating: 0, count: matrices)
  }

  package static func byteCount(_ shape: LookAheadShape) -> Int {
    let cells = shape.layerCount * shape.expertCount
    return 4 * cells * (matrixCountMax + 1) + 4 * shape.expertCount
      + 8 * shape.layerCount * (2 * matrixCountMax + 1) + 8 * matrixCountMax
  }

  package mutating func beginSequence() {
    if isLearning && squares.contains(where: { $0 > 0 }) { keep() }
    for index in counts.indices { counts[index] = 0 }
    for index in squares.indices { squares[index] = 0 }
    for index in products.indices { products[index] = 0 }
    for index in cosines.indices { cosines[index] = 0 }
    for index in similarities.indices { similarities[index] = 0 }
  }

  /// Adds the sequence's matrix to those of the past.
  private mutating func keep() {
    var place = matrixCount
    if matrixCount < Self.matrixCountMax { matrixCount += 1 } else { place = nearest }
    for layer in 0..<shape.layerCount {
      let scale = squares[layer] > 0 ? Float(1 / squares[layer].squareRoot()) : 0
      for cell in layer * shape.expertCount..<(layer + 1) * shape.expertCount {
        matrices[cell * Self.matrixCountMax + place] = counts[cell] * scale
      }
    }
  }

  /// The matrix of the past that is nearest; the oldest of equals.
  private var nearest: Int {
    var best = 0
    for matrix in 1..<max(1, matrixCount) where similarities[matrix] > similarities[best] {
      best = matrix
    }
    return best
  }

  package mutating func observe(layer: Int, experts: Span<Int32>) {
    for index in 0..<experts.count where experts[index] >= 0 {
      stepCounts[Int(experts[index])] += 1
    }
    for expert in stepCounts.indices where stepCounts[expert] > 0 {
      let cell = layer * shape.expertCount + expert
      let added = stepCounts[expert]
      squares[layer] += Double(added) * Double(2 * counts[cell] + added)
      counts[cell] += added
      stepCounts[expert] = 0
      for matrix in 0..<matrixCount {
        products[layer * Self.matrixCountMax + matrix] +=
          Double(added) * Double(matrices[cell * Self.matrixCountMax + matrix])
      }
    }
    guard squares[layer] > 0 else { return }
    let scale = 1 / squares[layer].squareRoot()
    for matrix in 0..<matrixCount {
      let index = layer * Self.matrixCountMax + matrix
      let cosine = products[index] * scale
      similarities[matrix] += cosine - cosines[index]
      cosines[index] = cosine
    }
  }

  package func score(layer: Int, token: Int, into scores: inout [Float]) {
    let first = layer * shape.expertCount
    let scale = squares[layer] > 0 ? Float(1 / squares[layer].squareRoot()) : 0
    for expert in scores.indices { scores[expert] = counts[first + expert] * scale }
    guard matrixCount > 0 else { return }
    let matrix = nearest
    for expert in scores.indices {
      scores[expert] += matrices[(first + expert) * Self.matrixCountMax + matrix]
    }
  }
}
