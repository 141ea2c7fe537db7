import MoECore

/// What a probe found. Seconds, and bytes per second.
struct ProbeResult: Codable, Equatable {
  struct Product: Codable, Equatable {
    var shape: ProbeShape
    /// Of one matrix, its weights coming from memory.
    var cost: CostCurve
  }

  struct Disk: Codable, Equatable {
    var latencySeconds: Double
    var bytesPerSecond: Double
    /// Beside products of one token, and of many.
    var busyBytesPerSecond: Double
    var chunkBytesPerSecond: Double
    /// Of products of one token, and of many.
    var computeSlowdown: Double
    var chunkComputeSlowdown: Double
  }

  var memoryBytesPerSecond = 0.0
  var products: [Product] = []
  /// What a layer takes beyond its products and its attention over the past, by tokens: norms,
  /// rotation, quantising, routing, sums. Negative where products overlap better than one by one.
  var layerRest = CostCurve.zero
  var attentionSecondsPerPosition = 0.0
  var chunkAttentionSecondsPerPosition = 0.0
  var samplingSeconds = 0.0
  var forkSeconds = 0.0
  /// Nil where the store holds whole files in memory, and where the disk could not be read.
  var disk: Disk?
  /// To make an expert ready that was read from a bundle, for each byte that products read of it.
  var finishSecondsPerByte = 0.0
  /// What the probe took.
  var seconds = 0.0
  /// Over all figures, the median of: the median of a figure's samples over the least of them. Near
  /// 1 on an idle machine.
  var spread = 1.0

  /// Above this the figures are those of a machine that had other work to do.
  private static let spreadMax = 1.25

  /// What is to be said of the measurement's quality; nil where all is well.
  var warning: String? {
    spread > Self.spreadMax
      ? "the machine was busy meanwhile, so the figures are uncertain (--probe fresh measures anew)"
      : nil
  }

  func cost(of shape: ProbeShape) -> CostCurve? {
    products.first { $0.shape == shape }?.cost
  }

  /// Whether the figures can be those of a probe for `request`: a file may say anything.
  func suits(_ request: ProbeRequest) -> Bool {
    func isPositive(_ values: Double...) -> Bool {
      values.allSatisfy { $0.isFinite && $0 > 0 && $0 < 1e18 }
    }
    func isTime(_ value: Double) -> Bool { value.isFinite && value >= 0 && value < 1e6 }
    let curvesAreGood = products.allSatisfy { product in
      !product.cost.points.isEmpty
        && product.cost.points.allSatisfy { isPositive($0.tokenCount, $0.seconds) }
    }
    let restIsGood = layerRest.points.allSatisfy {
      isPositive($0.tokenCount) && $0.seconds.isFinite
    }
    let diskIsGood =
      disk.map {
        isPositive($0.bytesPerSecond, $0.busyBytesPerSecond, $0.chunkBytesPerSecond)
          && isTime($0.latencySeconds)
          && $0.computeSlowdown.isFinite && $0.computeSlowdown >= 1
          && $0.chunkComputeSlowdown.isFinite && $0.chunkComputeSlowdown >= 1
      } ?? true
    return isPositive(memoryBytesPerSecond) && curvesAreGood && restIsGood && diskIsGood
      && isTime(attentionSecondsPerPosition) && isTime(chunkAttentionSecondsPerPosition)
      && isTime(samplingSeconds) && isTime(forkSeconds) && isTime(seconds) && isPositive(spread)
      && isTime(finishSecondsPerByte)
      && request.shapes.allSatisfy { cost(of: $0) != nil }
  }
}
