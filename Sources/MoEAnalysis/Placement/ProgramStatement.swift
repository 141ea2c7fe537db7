#if GLPK
  /// ExFlow's program in numbers.
  ///
  /// Columns x(layer, expert, device) are 1 where the expert is on the device; y(layer, i, j) is 1
  /// where expert i of the layer and j of the next are apart, at least |x - x'| on every device.
  /// The sum of y by tokens is least.
  ///
  /// Two kinds of rows are added to the paper's, which leave all its solutions but copies: each
  /// expert is apart from all of the next layer's but a device's share, so the sum of its y is
  /// known; and devices are numbered in the order in which the first layer's experts need them.
  struct ProgramStatement {
    struct Column {
      var weight: Int
      var isBinary: Bool
      var range = 0...1
    }

    enum Relation {
      case equal
      case atLeast
      case atMost
    }

    struct Row {
      var bound: Int
      var relation: Relation
    }

    private let affinity: ExpertAffinity
    private let deviceCount: Int
    private(set) var columns: [Column] = []
    private(set) var rows: [Row] = []
    private(set) var terms: [(row: Int, column: Int, factor: Int)] = []

    private static let termCountMax = 50_000_000

    /// Nil where it would have more terms than a solver of this kind could do anything with.
    init?(_ affinity: ExpertAffinity, deviceCount: Int, below crossings: Int) {
      self.affinity = affinity
      self.deviceCount = deviceCount
      let experts = affinity.expertCount
      let pairCount = affinity.layerPairCount * experts * experts
      let placeCount = affinity.layerCount * experts * deviceCount
      guard 6 * pairCount * deviceCount + 3 * pairCount + 2 * placeCount < Self.termCountMax
      else { return nil }
      columns = Array(repeating: Column(weight: 0, isBinary: true), count: placeCount)
      for expert in 0..<min(experts, deviceCount) {
        for device in expert + 1..<max(expert + 1, deviceCount) {
          columns[place(0, expert, device)].range = 0...0
        }
      }
      for layer in 0..<affinity.layerCount { addPlaces(layer) }
      for layer in 0..<affinity.layerPairCount { addPairs(layer) }
      for column in columns.indices where columns[column].weight > 0 {
        terms.append((rows.count, column, columns[column].weight))
      }
      rows.append(Row(bound: crossings - 1, relation: .atMost))
    }

    private func place(_ layer: Int, _ expert: Int, _ device: Int) -> Int {
      (layer * affinity.expertCount + expert) * deviceCount + device
    }

    /// Each expert on one device, each device with its share of the experts.
    private mutating func addPlaces(_ layer: Int) {
      for expert in 0..<affinity.expertCount {
        for device in 0..<deviceCount {
          terms.append((rows.count, place(layer, expert, device), 1))
        }
        rows.append(Row(bound: 1, relation: .equal))
      }
      for device in 0..<deviceCount {
        for expert in 0..<affinity.expertCount {
          terms.append((rows.count, place(layer, expert, device), 1))
        }
        rows.append(Row(bound: affinity.expertCount / deviceCount, relation: .equal))
      }
    }

    private mutating func addPairs(_ layer: Int) {
      let experts = affinity.expertCount
      let base = columns.count
      for first in 0..<experts {
        for second in 0..<experts {
          let weight = affinity.count(layer: layer, from: first, to: second)
          columns.append(Column(weight: weight, isBinary: false))
          for device in 0..<deviceCount {
            for sign in [1, -1] {
              terms.append((rows.count, base + first * experts + second, 1))
              terms.append((rows.count, place(layer, first, device), -sign))
              terms.append((rows.count, place(layer + 1, second, device), sign))
              rows.append(Row(bound: 0, relation: .atLeast))
            }
          }
        }
      }
      for one in 0..<experts {
        for other in 0..<experts {
          terms.append((rows.count, base + one * experts + other, 1))
          terms.append((rows.count + 1, base + other * experts + one, 1))
        }
        let apart = Row(bound: experts - experts / deviceCount, relation: .equal)
        rows += [apart, apart]
      }
    }

    /// Reads a solution; nil where it is none.
    func placement(_ values: [Double]) -> ExpertPlacement? {
      let devices = (0..<affinity.layerCount * affinity.expertCount).map { expert in
        (0..<deviceCount).max {
          values[expert * deviceCount + $0] < values[expert * deviceCount + $1]
        } ?? 0
      }
      return try? ExpertPlacement(
        layerCount: affinity.layerCount, expertCount: affinity.expertCount,
        deviceCount: deviceCount, devices: devices)
    }
  }
#endif
