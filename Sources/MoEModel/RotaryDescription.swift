package import MoEKernels

/// Rotary position embedding (RoFormer, arXiv 2104.09864).
package struct RotaryDescription: Sendable, Equatable {
  package var base: Double
  /// How many leading elements of each head turn; even.
  package var dimension: Int
  package var pairing: RotaryPairing
}
