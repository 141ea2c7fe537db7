/// The two phases of inference. They ask the cache and the disk different questions, so whatever is
/// counted is counted for each.
package enum InferencePhase: Sendable, Hashable, CaseIterable {
  case prefill
  case decode
}
