/// Which device holds which expert, the same number of every layer's experts on each.
package struct ExpertPlacement: Sendable, Equatable {
  package let layerCount: Int
  package let expertCount: Int
  package let deviceCount: Int
  /// (layer, expert)
  package internal(set) var devices: [Int32]

  /// Experts of each layer on each device.
  package var expertsPerDevice: Int { expertCount / deviceCount }

  /// Consecutive experts together, in every layer alike.
  package init(
    layerCount: Int, expertCount: Int, deviceCount: Int
  ) throws(RoutingAnalysisError) {
    try Self.check(expertCount: expertCount, deviceCount: deviceCount)
    self.layerCount = layerCount
    self.expertCount = expertCount
    self.deviceCount = deviceCount
    devices = (0..<layerCount * expertCount).map {
      Int32($0 % expertCount / (expertCount / deviceCount))
    }
  }

  /// - Parameter devices: (layer, expert); each device as often as every other in each layer.
  package init(
    layerCount: Int, expertCount: Int, deviceCount: Int, devices: [Int]
  ) throws(RoutingAnalysisError) {
    try self.init(layerCount: layerCount, expertCount: expertCount, deviceCount: deviceCount)
    guard devices.count == layerCount * expertCount,
      devices.allSatisfy({ (0..<deviceCount).contains($0) })
    else {
      throw RoutingAnalysisError(
        "\(devices.count) places do not put \(expertCount) experts of \(layerCount) layers on "
          + "devices 0 to \(deviceCount - 1)")
    }
    self.devices = devices.map { Int32($0) }
    for layer in 0..<layerCount {
      for device in 0..<deviceCount {
        let count = experts(onDevice: device, layer: layer).count
        guard count == expertsPerDevice else {
          throw RoutingAnalysisError(
            "device \(device) holds \(count) experts of layer \(layer): each device holds "
              + "\(expertsPerDevice)")
        }
      }
    }
  }

  static func check(expertCount: Int, deviceCount: Int) throws(RoutingAnalysisError) {
    guard deviceCount > 0, expertCount > 0, expertCount % deviceCount == 0 else {
      throw RoutingAnalysisError(
        "\(expertCount) experts cannot be divided evenly among \(deviceCount) devices: give a "
          + "divisor of \(expertCount)")
    }
  }

  package func device(ofExpert expert: Int, layer: Int) -> Int {
    Int(devices[layer * expertCount + expert])
  }

  package func experts(onDevice device: Int, layer: Int) -> [Int] {
    (0..<expertCount).filter { self.device(ofExpert: $0, layer: layer) == device }
  }

  /// Changes of device from a token's expert in one layer to its expert in the next, over all
  /// tokens of the table and all pairs of their experts.
  package func crossings(_ affinity: ExpertAffinity) -> Int {
    var sum = 0
    for layer in 0..<min(affinity.layerPairCount, max(0, layerCount - 1)) {
      for first in 0..<expertCount {
        let row = (layer * expertCount + first) * expertCount
        let here = devices[layer * expertCount + first]
        for second in 0..<expertCount
        where devices[(layer + 1) * expertCount + second] != here {
          sum += Int(affinity.pairCounts[row + second])
        }
      }
    }
    return sum
  }
}

extension ExpertAffinity {
  /// Pairs of experts in neighbouring layers, over all tokens: what crossings are a share of.
  package var pairTotal: Int { pairCounts.reduce(0) { $0 + Int($1) } }

  /// A number of crossings that no even placement can be below.
  ///
  /// An expert shares its device with only so many of the next layer: at best with those that its
  /// tokens take most. The same holds from the next layer's side; the larger of the two counts.
  package func crossingsMin(expertsPerDevice: Int) -> Int {
    func least(_ counts: [Int32]) -> Int {
      counts.sorted(by: >).dropFirst(expertsPerDevice).reduce(0) { $0 + Int($1) }
    }
    return (0..<layerPairCount).reduce(0) { sum, layer in
      let base = layer * expertCount * expertCount
      var (forward, backward) = (0, 0)
      for expert in 0..<expertCount {
        let row = base + expert * expertCount
        forward += least(Array(pairCounts[row..<row + expertCount]))
        backward += least((0..<expertCount).map { pairCounts[base + $0 * expertCount + expert] })
      }
      return sum + max(forward, backward)
    }
  }
}
