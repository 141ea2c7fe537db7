extension Int {
  /// The nearest multiple at or below; `alignment` is a power of two.
  func alignedDown(to alignment: Int) -> Int { self & ~(alignment - 1) }

  /// The nearest multiple at or above; `alignment` is a power of two.
  package func alignedUp(to alignment: Int) -> Int { (self + alignment - 1) & ~(alignment - 1) }
}
