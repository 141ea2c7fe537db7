private import MoECore

/// Local search for a placement with few crossings: one layer at a time is placed as well as can be
/// beside its neighbours, which is an assignment that is solved exactly, until no layer gains.
/// Begun several times from other placements; the best result stays.
struct PlacementSearch {
  private let affinity: ExpertAffinity
  private let start: ExpertPlacement
  private var random: SeededGenerator

  init(
    _ affinity: ExpertAffinity, deviceCount: Int, seed: UInt64
  ) throws(RoutingAnalysisError) {
    self.affinity = affinity
    start = try ExpertPlacement(
      layerCount: affinity.layerCount, expertCount: affinity.expertCount, deviceCount: deviceCount)
    random = SeededGenerator(seed: seed)
  }

  mutating func best(startCount: Int) -> ExpertPlacement {
    var best = start
    var bestCrossings = start.crossings(affinity)
    for attempt in 0..<startCount where bestCrossings > 0 {
      var placement = start
      if attempt > 0 { shuffle(&placement) }
      // Every other start is the shuffled placement as it is: following the first layer leads to
      // the same few ends.
      if attempt % 2 == 0 {
        for layer in 1..<max(1, affinity.layerCount) {
          improve(&placement, layer: layer, neighbours: [layer - 1])
        }
      }
      var isImproved = true
      while isImproved {
        isImproved = false
        let layers = 0..<affinity.layerCount
        for layer in Array(layers) + layers.reversed() {
          let neighbours = [layer - 1, layer + 1].filter(layers.contains)
          if improve(&placement, layer: layer, neighbours: neighbours) { isImproved = true }
        }
      }
      let crossings = placement.crossings(affinity)
      if crossings < bestCrossings { (best, bestCrossings) = (placement, crossings) }
    }
    return best
  }

  private mutating func shuffle(_ placement: inout ExpertPlacement) {
    for layer in 0..<affinity.layerCount {
      let first = layer * affinity.expertCount
      placement.devices[first..<first + affinity.expertCount].shuffle(using: &random)
    }
  }

  /// Places one layer anew; whether that saved a crossing.
  @discardableResult private func improve(
    _ placement: inout ExpertPlacement, layer: Int, neighbours: [Int]
  ) -> Bool {
    let (count, devices) = (affinity.expertCount, placement.deviceCount)
    // (expert, device): pairs that stay on the device if the expert is there.
    var gains = [Int](repeating: 0, count: count * devices)
    for neighbour in neighbours {
      for expert in 0..<count {
        for other in 0..<count {
          let pairs =
            neighbour > layer
            ? affinity.count(layer: layer, from: expert, to: other)
            : affinity.count(layer: neighbour, from: other, to: expert)
          gains[expert * devices + placement.device(ofExpert: other, layer: neighbour)] += pairs
        }
      }
    }
    var assignment = EvenAssignment(
      gains: gains, deviceCount: devices,
      devices: placement.devices[layer * count..<(layer + 1) * count].map(Int.init))
    guard assignment.improve() else { return false }
    for expert in 0..<count {
      placement.devices[layer * count + expert] = Int32(assignment.devices[expert])
    }
    return true
  }
}

/// Items on devices, as many on each as at the start, with the most gain.
///
/// A placement is the best exactly where no ring of devices gains by each passing one item on to
/// the next. Such rings are looked for by Bellman and Ford's method and carried out.
struct EvenAssignment {
  /// (item, device)
  private let gains: [Int]
  private let deviceCount: Int
  /// (item)
  private(set) var devices: [Int]

  init(gains: [Int], deviceCount: Int, devices: [Int]) {
    precondition(gains.count == devices.count * deviceCount)
    self.gains = gains
    self.deviceCount = deviceCount
    self.devices = devices
  }

  /// Makes it the best; whether it was not.
  mutating func improve() -> Bool {
    var isImproved = false
    while let moves = ring() {
      for move in moves { devices[move.item] = move.device }
      isImproved = true
    }
    return isImproved
  }

  /// Moves of one item from each device of a ring to the next that gain together.
  private func ring() -> [(item: Int, device: Int)]? {
    // (from, to): the item that gains most by the move.
    var items = [Int](repeating: -1, count: deviceCount * deviceCount)
    func gain(_ item: Int, to device: Int) -> Int {
      gains[item * deviceCount + device] - gains[item * deviceCount + devices[item]]
    }
    for item in devices.indices {
      for device in 0..<deviceCount where device != devices[item] {
        let edge = devices[item] * deviceCount + device
        if items[edge] < 0 || gain(item, to: device) > gain(items[edge], to: device) {
          items[edge] = item
        }
      }
    }
    var totals = [Int](repeating: 0, count: deviceCount)
    var previous = [Int](repeating: -1, count: deviceCount)
    var last = -1
    for _ in 0..<deviceCount {
      last = -1
      for from in 0..<deviceCount {
        for to in 0..<deviceCount where items[from * deviceCount + to] >= 0 {
          let total = totals[from] + gain(items[from * deviceCount + to], to: to)
          if total > totals[to] {
            (totals[to], previous[to], last) = (total, from, to)
          }
        }
      }
      if last < 0 { return nil }
    }
    // Gains that still grow after as many rounds as there are devices go round in a ring, which is
    // reached by going back as many steps.
    for _ in 0..<deviceCount { last = previous[last] }
    var moves: [(item: Int, device: Int)] = []
    var device = last
    repeat {
      let from = previous[device]
      moves.append((items[from * deviceCount + device], device))
      device = from
    } while device != last
    return moves
  }
}
