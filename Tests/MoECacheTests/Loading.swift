import MoECache
import MoECore

/// Requests experts, and lets their loads succeed at once.
@discardableResult
func load(
  _ experts: [Int], of layer: Int, at time: Int, into cache: inout ExpertCache
) -> [RequestedExpert] {
  var outcomes: [RequestedExpert] = []
  cache.request(layer: layer, experts: experts.span, time: time, into: &outcomes)
  cache.finish(outcomes)
  return outcomes
}

/// Layers of one size class, all with as many experts.
func uniform(layerCount: Int, expertCount: Int, slotCount: Int) -> CacheGeometry {
  let layer = LayerGeometry(expertCount: expertCount, sizeClass: 0)
  return CacheGeometry(
    layers: [LayerGeometry](repeating: layer, count: layerCount), slotCounts: [slotCount])
}

/// Hits of one layer's requests, one per token, in a pool of its own.
func hitCount(
  _ requests: [[Int]], expertCount: Int, slotCount: Int, policy: PolicyEntry
) -> Int {
  let geometry = uniform(layerCount: 1, expertCount: expertCount, slotCount: slotCount)
  var cache = ExpertCache(geometry: geometry, policy: policy)
  var outcomes: [RequestedExpert] = []
  for (time, experts) in requests.enumerated() {
    cache.request(layer: 0, experts: experts.span, time: time, into: &outcomes)
    cache.finish(outcomes)
  }
  return cache.counters.hitCount
}

/// Admits an expert for one token, and leaves it loading.
func admit(
  _ index: Int, of layer: Int, at time: Int, into cache: inout ExpertCache
) -> Admission? {
  cache.admit(ExpertID(layer: layer, index: index), time: time)
}
