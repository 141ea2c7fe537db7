package import MoEKernels

/// What the kernels know of a layer's attention, and so what a sequence keeps for it: keys and
/// values of every position that may still be seen.
package struct AttentionShape: Sendable, Equatable {
  package var queryHeadCount: Int
  package var keyValueHeadCount: Int
  /// Elements of a head's query and key.
  package var keyDimension: Int
  /// Elements of a head's value.
  package var valueDimension: Int
  /// Whether a value is the beginning of its key, and not kept for itself.
  package var valuesLieInKeys = false
  package var limits = AttentionLimits.causal

  package var queryWidth: Int { queryHeadCount * keyDimension }
  /// What all heads' sums take, side by side.
  package var attendedWidth: Int { queryHeadCount * valueDimension }

  /// Elements of the rows that are kept of a head, keys first.
  package var keptDimensions: [Int] {
    valuesLieInKeys ? [keyDimension] : [keyDimension, valueDimension]
  }

  /// Whether what is kept of a head, and a value that begins its key, are whole blocks of a type.
  package func canBeKept(in type: KVType) -> Bool {
    type.divides(keyDimension) && type.divides(valueDimension)
  }

  /// Bytes that are kept of one position.
  package func byteCountPerPosition(_ type: KVType) -> Int {
    keptDimensions.reduce(0) {
      $0
        + KVView.byteCount(
          type: type, capacity: 1, headCount: keyValueHeadCount, headDimension: $1)
    }
  }
}
