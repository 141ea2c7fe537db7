import FoundationEssentials
import MoEAnalysis
import MoECompression
import MoECore
import MoERuntime
import MoEStore

/// What a bundle would take of the disk and gain on it, from a few experts that were coded.
struct PackForecast {
  private struct Speed {
    /// The memory, as a share of the model's files.
    let share: Double
    let plain: Double
    let packed: Double
  }

  private let samples: [Int: PackSample]
  private let packer: Packer
  private let speeds: [Speed]
  /// Layers that are coded so much smaller that reading them from a bundle is faster.
  let layersThatPay: [Int]

  /// A bundle that gains less is not worth its place on the disk.
  private static let gainMin = 1.03
  private static let shares = [0.25, 0.5]
  /// What measuring the machine may hold, besides what packing does.
  private static let measuringByteCount = 640 << 20

  /// - Parameter memoryByteCount: What the process may hold; with too little nothing is measured,
  ///   and no gain is known.
  init(
    _ samples: [Int: PackSample], of packer: Packer, modelAt path: String, isAutomatic: Bool,
    memoryByteCount: Int?
  ) throws {
    self.samples = samples
    self.packer = packer
    layersThatPay = packer.layers.filter { (samples[$0]?.ratio ?? 1) * Self.gainMin < 1 }
    let coded = Set(isAutomatic ? layersThatPay : packer.layers)
    let canMeasure = memoryByteCount.map { $0 >= Self.measuringByteCount } ?? true
    speeds = try (canMeasure ? Self.shares : []).compactMap { share in
      var options = EngineOptions()
      options.memory = .fraction(share)
      options.bundle = .none
      options.placement = .offloaded
      guard
        let planned = try Engine.plannedCosts(
          modelAt: path, options: options, promptTokenCount: nil, probe: .cached,
          environment: ProcessInfo.processInfo.environment
        ).planned
      else { return nil }
      var costs = planned.costs
      for layer in costs.layers.indices where coded.contains(layer) {
        guard let sample = samples[layer] else { continue }
        let byteCount = Double(costs.layers[layer].expertByteCount)
        costs.layers[layer].finishSeconds = byteCount * sample.finishSecondsPerByte
        costs.layers[layer].expertByteCount = Int(byteCount * sample.ratio)
      }
      func speed(_ costs: RunCosts) -> Double {
        PerformanceModel(
          costs: costs,
          routing: .assumed(architecture: planned.plan.architecture, costs: planned.costs)
        ).decode(position: planned.promptTokenCount).tokensPerSecond
      }
      return Speed(share: share, plain: speed(planned.costs), packed: speed(costs))
    }
  }

  var pays: Bool {
    !layersThatPay.isEmpty && speeds.contains { $0.packed > Self.gainMin * $0.plain }
  }

  /// About what a bundle of some layers will have.
  func byteCount(of layers: [Int]) -> Int {
    layers.reduce(0) { sum, layer in
      let ratio = min(1, (samples[layer]?.ratio ?? 1) * 1.02)
      return sum + Int(Double(packer.source.byteCount(ofLayers: [layer])) * ratio)
    }
  }

  var text: String {
    let layers = packer.layers
    let plain = packer.source.byteCount(ofLayers: layers)
    let decoded = layers.compactMap { samples[$0] }
    let (byteCount, seconds) = decoded.reduce((0, 0.0)) {
      ($0.0 + $1.decodedByteCount, $0.1 + $1.decodeSeconds)
    }
    let rate =
      byteCount > 0 && packer.codec.id != CodecRegistry.none.id
      ? ", decoded at \(Self.tenths(Double(byteCount) / seconds * 1e-9)) GB/s" : ""
    let coded = Double(byteCount == 0 ? plain : self.byteCount(of: layers)) / Double(plain)
    let lines =
      [
        "experts   \(ByteSize(plain)) in \(layers.count) layers",
        "code      \(packer.codec.name), about \(Self.tenths(min(1, coded) * 100)) % of that"
          + rate,
      ]
      + speeds.map { speed in
        "at \(Int(speed.share * 100)) %   \(Self.tenths(speed.plain)) tokens/s from the model's "
          + "file, \(Self.tenths(speed.packed)) from the bundle (predicted)"
      }
    let unknown =
      speeds.isEmpty
      ? "speed     not predicted: that takes \(ByteSize(Self.measuringByteCount)) of memory, and a "
        + "model that runs in half of its size\n"
      : ""
    return lines.joined(separator: "\n") + "\n" + unknown
  }

  private static func tenths(_ value: Double) -> String {
    "\(Double((value * 10).rounded()) / 10)"
  }
}
