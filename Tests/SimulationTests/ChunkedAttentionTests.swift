import Foundation
import MoECore
import MoEKernels
import MoEModel
import MoESynthetic
import MoETestSupport
import Testing

/// Llama 4's attention across the borders of its chunks: layers that see their chunk, and layers
/// that see everything, know no positions and grow sharper with them; against the definition, in
/// double precision.
@Suite struct ChunkedAttentionTests {
  /// A model of attention alone: what else is on the stream adds zero.
  private func model(
    _ layerCount: Int, contextLength: Int,
    change: (inout ModelDescription) -> Void = { _ in }
  ) throws -> HandmadeModel {
    var shape = SyntheticModel(.init(rawValue: "llama4"))
    shape.layerCount = layerCount
    shape.contextLength = contextLength
    return try HandmadeModel(shape) { tensor in
      tensor.name.contains(".ffn_down")
        ? Array(repeating: 0, count: tensor.elementCount) : nil
    } change: {
      change(&$0)
    }
  }

  private static func tokens(_ count: Int) -> [Int32] {
    (0..<count).map { Int32($0 * 37 % 512) }
  }

  /// The rows behind the last layer: (position, hiddenSize).
  private func rows(
    _ model: HandmadeModel, _ tokens: [Int32], chunk: Int
  ) throws -> [[Double]] {
    let decoder = try model.decoder(chunk: chunk, contextLength: tokens.count)
    let recorder = RowRecorder(layer: model.model.description.layerCount - 1)
    decoder.observer = recorder
    try decoder.withSequence { sequence in
      for start in stride(from: 0, to: tokens.count, by: chunk) {
        let end = min(start + chunk, tokens.count)
        try decoder.forward(tokens[start..<end], of: sequence, phase: .prefill)
      }
    }
    let width = model.model.description.hiddenSize
    return stride(from: 0, to: recorder.values.count, by: width).map { start in
      recorder.values[start..<start + width].map { Double($0) }
    }
  }

  private func difference(_ found: [Double], _ wanted: [Double]) -> Double {
    zip(found, wanted).reduce(0) { max($0, abs($1.0 - $1.1)) }
  }

  /// Four layers, whose borders are as near as the test wants them.
  @Test(arguments: [1, 7, 64]) func shortChunksAreThoseOfTheDefinition(_ chunk: Int) throws {
    let (size, count) = (24, 100)
    let model = try model(4, contextLength: count) { description in
      for index in description.layers.indices {
        guard case .attention(var attention) = description.layers[index].mixer else { continue }
        if attention.rotary != nil { attention.limits = .chunked(size) }
        if attention.temperature != nil { attention.temperature?.step = size }
        description.layers[index].mixer = .attention(attention)
      }
    }
    let layers = model.model.description.layers.compactMap { $0.mixer?.attention }
    #expect(layers.map { $0.limits == .chunked(size) } == [true, true, true, false])
    #expect(layers.map { $0.temperature != nil } == [false, false, false, true])
    let tokens = Self.tokens(count)
    let found = try rows(model, tokens, chunk: chunk)
    for (shift, isRight) in [(0, true), (1, false)] {
      var naive = try NaiveAttentionModel(model, tokens)
      for (number, attention) in layers.enumerated() {
        naive.apply(
          layer: number, chunk: attention.rotary == nil ? nil : size,
          temperatureStep: attention.rotary == nil ? size : nil, borderShift: shift,
          positions: 0..<count)
      }
      // Before the first border nothing depends on where it is, here or one position earlier.
      let first = (0..<size - 2).map { difference(found[$0], naive.stream[$0]) }
      #expect((first.max() ?? 1) < 1e-4)
      let behind = (size - 2..<count).map { difference(found[$0], naive.stream[$0]) }
      #expect(((behind.max() ?? 1) < 1e-4) == isRight, "off by \(shift): \(behind)")
    }
  }

  /// The published models' 8,192, of both kinds of layer.
  @Test(arguments: [0, 3]) func theRealBorderIsWhereTheDefinitionHasIt(_ kind: Int) throws {
    let (size, count) = (8_192, 8_200)
    let mixers = try SyntheticModel(.init(rawValue: "llama4")).description().layers.map(\.mixer)
    let model = try model(1, contextLength: count) { $0.layers[0].mixer = mixers[kind] }
    let attention = try #require(model.model.description.layers[0].mixer?.attention)
    #expect(attention.limits == (kind == 0 ? .chunked(size) : .causal))
    let tokens = Self.tokens(count)
    let found = try rows(model, tokens, chunk: 512)
    for (shift, isRight) in [(0, true), (1, false)] {
      var naive = try NaiveAttentionModel(model, tokens)
      let positions = size - 2..<count
      naive.apply(
        layer: 0, chunk: kind == 0 ? size : nil, temperatureStep: kind == 0 ? nil : size,
        borderShift: shift, positions: positions)
      let differences = positions.map { difference(found[$0], naive.stream[$0]) }
      #expect(((differences.max() ?? 1) < 1e-4) == isRight, "off by \(shift): \(differences)")
    }
  }
}

/// hidden += output(attention(norm(hidden))), layer by layer, as Llama 4's published code defines
/// it, one number after the other.
private struct NaiveAttentionModel {
  /// (position, hiddenSize)
  private(set) var stream: [[Double]]
  private let model: HandmadeModel
  private let headCount = 4
  private let keyHeadCount = 2
  private let dimension = 16
  private let base = 5e5
  private let epsilon = 1e-5

  init(_ model: HandmadeModel, _ tokens: [Int32]) throws {
    self.model = model
    let (embedding, width) = (try model.values("token_embd.weight"), 64)
    stream = tokens.map { token in
      embedding[Int(token) * width..<(Int(token) + 1) * width].map { Double($0) }
    }
  }

  /// - Parameters:
  ///   - chunk: Positions of a chunk, beyond which nothing is seen, where queries and keys turn and
  ///     are normed; nil where they do not.
  ///   - temperatureStep: Positions after which queries grow; nil where they do not.
  ///   - borderShift: How far the borders lie from where they should.
  ///   - positions: Rows that are computed; the others' keys and values are those of the stream.
  mutating func apply(
    layer: Int, chunk: Int?, temperatureStep: Int?, borderShift: Int, positions: Range<Int>
  ) {
    func matrix(_ name: String) -> [Double] {
      ((try? model.values("blk.\(layer).\(name).weight")) ?? []).map { Double($0) }
    }
    let (norm, query, key) = (matrix("attn_norm"), matrix("attn_q"), matrix("attn_k"))
    let (value, output) = (matrix("attn_v"), matrix("attn_output"))
    func first(_ position: Int) -> Int {
      chunk.map { max(0, (position + borderShift) / $0 * $0 - borderShift) } ?? 0
    }
    func heads(_ matrix: [Double], _ row: [Double], position: Int, turns: Bool) -> [[Double]] {
      let all = product(matrix, row)
      return stride(from: 0, to: all.count, by: dimension).map { start in
        let head = Array(all[start..<start + dimension])
        return turns ? normed(turned(head, position)) : head
      }
    }
    let rows = stream.indices.map { index in
      index >= first(positions.lowerBound)
        ? zip(normed(stream[index]), norm).map { $0 * $1 } : []
    }
    let keys = rows.indices.map { index in
      rows[index].isEmpty
        ? [] : heads(key, rows[index], position: index, turns: chunk != nil)
    }
    let values = rows.indices.map { index in
      rows[index].isEmpty ? [] : heads(value, rows[index], position: index, turns: false)
    }
    for position in positions {
      let queries = heads(query, rows[position], position: position, turns: chunk != nil)
      let factor =
        temperatureStep.map {
          1 + 0.1 * log(1 + Double((position + 1 + borderShift) / $0))
        } ?? 1
      let attended = queries.enumerated().flatMap { number, query in
        let shared = number / (headCount / keyHeadCount)
        let seen = first(position)...position
        let scores = seen.map { other in
          factor * zip(query, keys[other][shared]).reduce(0) { $0 + $1.0 * $1.1 }
            / Double(dimension).squareRoot()
        }
        let highest = scores.max() ?? 0
        let weights = scores.map { exp($0 - highest) }
        let sum = weights.reduce(0, +)
        return (0..<dimension).map { element in
          zip(seen, weights).reduce(0) { $0 + $1.1 * values[$1.0][shared][element] } / sum
        }
      }
      stream[position] = zip(stream[position], product(output, attended)).map { $0 + $1 }
    }
  }

  /// (row, column) times (column)
  private func product(_ matrix: [Double], _ vector: [Double]) -> [Double] {
    stride(from: 0, to: matrix.count, by: vector.count).map { start in
      vector.indices.reduce(0) { $0 + matrix[start + $1] * vector[$1] }
    }
  }

  private func normed(_ row: [Double]) -> [Double] {
    let square = row.reduce(0) { $0 + $1 * $1 } / Double(row.count)
    return row.map { $0 / (square + epsilon).squareRoot() }
  }

  /// Neighbours turn together.
  private func turned(_ head: [Double], _ position: Int) -> [Double] {
    var result = head
    for pair in 0..<dimension / 2 {
      let angle = Double(position) * pow(base, -2 * Double(pair) / Double(dimension))
      let (even, odd) = (head[2 * pair], head[2 * pair + 1])
      result[2 * pair] = even * cos(angle) - odd * sin(angle)
      result[2 * pair + 1] = even * sin(angle) + odd * cos(angle)
    }
    return result
  }
}
