/// Hits of the clairvoyant optimum for one pool: it evicts what is used furthest in the future.
///
/// Each request asks for all its experts at once, and they never evict each other: the rules of the
/// cache under test. No policy that admits every miss can do better.
func beladyHitCount(_ requests: [[Int]], slotCount: Int) -> Int {
  let expertCount = (requests.joined().max() ?? -1) + 1
  var upcoming = [Int](repeating: .max, count: expertCount)
  var following = requests
  for time in requests.indices.reversed() {
    following[time] = requests[time].map { upcoming[$0] }
    for expert in requests[time] { upcoming[expert] = time }
  }
  var hitCount = 0
  var nextUses: [Int: Int] = [:]
  for (wanted, later) in zip(requests, following) {
    hitCount += wanted.count { nextUses[$0] != nil }
    for (expert, time) in zip(wanted, later) { nextUses[expert] = time }
    guard nextUses.count > slotCount else { continue }
    let idle = nextUses.filter { !wanted.contains($0.key) }.sorted { $0.value > $1.value }
    for (expert, _) in idle.prefix(nextUses.count - slotCount) { nextUses[expert] = nil }
  }
  return hitCount
}
