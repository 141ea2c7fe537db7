import MoECore

/// Keeps a policy from doing worse than LRU for long, as Follower of "Caching with Few Predictions"
/// (arXiv 2404.06280) keeps to a marking scheme where predictions do not pay.
///
/// It runs an LRU cache of an even division of the slots beside the real one, without bytes, and
/// counts the misses of both. The policy is trusted until it has missed more than LRU by half of
/// the slots, or by 0.5 % of the requests where that is more; what it gained before counts for as
/// many misses as there are slots at most. Then LRU decides, until what was lost, and what a change
/// costs (as many misses as there are slots), is 0.5 % of the requests.
///
/// So it never loses more than 0.5 % of the requests, and one and a half times the slots, to LRU.
struct RecencyGuard: Sendable {
  private static let tolerance = 0.005

  private let geometry: CacheGeometry
  /// (layer): experts that LRU holds, least recently used first: ends of lists through `next` and
  /// `previous` (expert ordinal), -1 beyond the ends.
  private var oldest: [Int32]
  private var newest: [Int32]
  private var next: [Int32]
  private var previous: [Int32]
  /// (expert ordinal)
  private var isHeld: [Bool]
  private var counts: [Int]
  /// (expert ordinal): the last step that asked for it, among those whose misses are compared.
  private var lastSteps: [Int]
  private var stepCount = 0
  private var requestCount = 0
  /// Misses of the policy less those of LRU.
  private var deficit = 0
  private(set) var isTrusting = true

  init(geometry: CacheGeometry) {
    self.geometry = geometry
    oldest = [Int32](repeating: -1, count: geometry.layers.count)
    newest = oldest
    next = [Int32](repeating: -1, count: geometry.expertCount)
    previous = next
    isHeld = [Bool](repeating: false, count: geometry.expertCount)
    counts = [Int](repeating: 0, count: geometry.layers.count)
    lastSteps = [Int](repeating: 0, count: geometry.expertCount)
  }

  /// Whether LRU would hold an expert.
  func holds(_ ordinal: Int) -> Bool { isHeld[ordinal] }

  /// The experts of a layer that LRU would hold, least recently used first, while `body` wants
  /// more.
  func forEachHeld(of layer: Int, _ body: (_ ordinal: Int) -> Bool) {
    var ordinal = oldest[layer]
    while ordinal >= 0, body(Int(ordinal)) { ordinal = next[Int(ordinal)] }
  }

  /// A layer's step begins. Where each sequence has one token in it, the misses of both are
  /// compared; a chunk has its own order of hits and misses.
  mutating func add(_ step: borrowing LayerStep, in table: borrowing SlotTable) {
    let layer = step.layer
    let first = geometry.ordinals(of: layer).lowerBound
    // Slots may have been withdrawn from both.
    trim(layer, to: table.evenShares[layer])
    if step.isDecode { compare(step, in: table) }
    let count = step.tokenCount
    for token in max(0, count - SelectionHistory.tokenCount)..<count {
      let selection = step.selection(ofToken: token)
      // The best is the most recent.
      for rank in selection.indices.reversed() { use(first + selection[rank], layer: layer) }
      trim(layer, to: table.evenShares[layer])
    }
  }

  /// An expert that several sequences want is asked for once.
  private mutating func compare(_ step: borrowing LayerStep, in table: borrowing SlotTable) {
    let first = geometry.ordinals(of: step.layer).lowerBound
    stepCount += 1
    for place in step.experts.indices where step.experts[place] >= 0 {
      let ordinal = first + step.experts[place]
      if lastSteps[ordinal] == stepCount { continue }
      lastSteps[ordinal] = stepCount
      if table.slot(ofOrdinal: ordinal) == nil { deficit += 1 }
      if !isHeld[ordinal] { deficit -= 1 }
      requestCount += 1
    }
    if step.tokenCount > 0 { judge(slotCount: table.usableSlotCount) }
  }

  private mutating func trim(_ layer: Int, to capacity: Int) {
    while counts[layer] > capacity { drop(Int(oldest[layer]), layer: layer) }
  }

  private mutating func judge(slotCount: Int) {
    deficit = max(deficit, -slotCount)
    let tolerated = Self.tolerance * Double(requestCount)
    if isTrusting {
      isTrusting = Double(deficit) <= max(Double(slotCount) / 2, tolerated)
    } else {
      isTrusting = Double(deficit + slotCount) <= tolerated
    }
  }

  private mutating func use(_ ordinal: Int, layer: Int) {
    if isHeld[ordinal] { drop(ordinal, layer: layer) }
    let last = newest[layer]
    previous[ordinal] = last
    next[ordinal] = -1
    if last >= 0 { next[Int(last)] = Int32(ordinal) } else { oldest[layer] = Int32(ordinal) }
    newest[layer] = Int32(ordinal)
    isHeld[ordinal] = true
    counts[layer] += 1
  }

  private mutating func drop(_ ordinal: Int, layer: Int) {
    let (before, after) = (previous[ordinal], next[ordinal])
    if before >= 0 { next[Int(before)] = after } else { oldest[layer] = after }
    if after >= 0 { previous[Int(after)] = before } else { newest[layer] = before }
    isHeld[ordinal] = false
    counts[layer] -= 1
  }
}
