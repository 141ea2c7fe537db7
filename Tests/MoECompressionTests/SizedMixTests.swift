import Foundation
import MoECompression
import MoECore
import MoEExperts
import MoEKernels
import MoEModel
import MoESynthetic
import MoETestSupport
import Testing

extension QuantizedModelTests {
  /// More loss the fewer bits, and more in the layers in front.
  private func losses(_ source: QuantizationSource) -> [Int: [Double]] {
    Dictionary(
      uniqueKeysWithValues: source.experts.routedLayers.map { layer in
        (
          layer,
          SizedMix.expertEncoders.indices.map { pow(4, Double($0)) * 0.001 / Double(1 + layer) }
        )
      })
  }

  /// The file has at most the size wanted, and more bits where there is more room.
  @Test func theFileFitsTheSize() throws {
    let source = try QuantizationSource(modelAt: try model())
    let whole = try bytes(path("model.gguf")).count
    var sizes: [Int] = []
    for share in [100, 30, 26, 22, 18] {
      let sized = try SizedMix(
        of: source, losses: losses(source), byteCountMax: whole * share / 100)
      let written = try write(source, sized.mix, to: "sized.gguf")
      #expect(written.byteCount <= whole * share / 100, "\(share) %")
      sizes.append(written.byteCount)
      // The layer in front loses more, so that it never has fewer bits than one behind it.
      let places = sized.chosen.map { chosen in
        chosen.encoder.flatMap { own in
          SizedMix.expertEncoders.firstIndex { $0.name == own.name }
        } ?? -1
      }
      #expect(places == places.sorted(), "\(share) %")
    }
    #expect(sizes == sizes.sorted(by: >) && Set(sizes).count == sizes.count, "\(sizes)")
    #expect(
      try SizedMix(of: source, losses: losses(source), byteCountMax: whole).chosen
        .allSatisfy { $0.encoder == nil })
  }

  @Test func aSizeThatNothingFitsIsRefusedWithTheLeast() throws {
    let source = try QuantizationSource(modelAt: try model())
    let error = try #require(throws: QuantizeError.self) {
      _ = try SizedMix(of: source, losses: losses(source), byteCountMax: 10_000)
    }
    guard case .sizeTooSmall(10_000, let least) = error else {
      Issue.record("\(error)")
      return
    }
    let sized = try SizedMix(of: source, losses: losses(source), byteCountMax: least)
    #expect(try write(source, sized.mix, to: "least.gguf").byteCount <= least)
    #expect(throws: QuantizeError.self) {
      _ = try SizedMix(of: source, losses: losses(source), byteCountMax: least - 1)
    }
  }

  /// Hand-counted: rows that do not count are left out.
  @Test func usesAreCountedHardAndSoft() throws {
    let recorder = CalibrationRecorder([]) { $0 == 9 }
    recorder.begin([1, 2, 9], [0..<3])
    let experts = try AlignedBuffer(byteCount: 64)
    let weights = try AlignedBuffer(byteCount: 64)
    let logits = try AlignedBuffer(byteCount: 64)
    // (row, rank); row 1 is left out with row 2, which it predicts.
    for (place, value) in [(0, 3), (1, 1), (2, 3), (3, 0), (4, 2), (5, 1)] {
      experts.words(count: 6)[place] = UInt32(value)
    }
    for (place, value) in [0.75, 0.25, 0.5, 0.5, 1, 0].enumerated() {
      weights.floats(count: 6)[place] = Float(value)
    }
    let selection = Selection(
      tokenCount: 3, expertsPerToken: 2, experts: experts.words(count: 6),
      weights: weights.floats(count: 6), expertStride: 2, weightStride: 2)
    recorder.didRoute(
      layer: 5, start: 0,
      logits: FloatRows(logits.floats(count: 12), rowCount: 3, columnCount: 4),
      selection: selection)
    #expect(recorder.uses.keys.sorted() == [5])
    #expect(recorder.uses[5]?.hard == [0, 1, 0, 1])
    #expect(recorder.uses[5]?.soft == [0, 0.25, 0, 0.75])
  }
}
