/// A borrowed run of floats in a buffer that outlives it: scratch, weights, logits.
///
/// A pointer and a count, trivially copyable, so that it can be kept in job descriptions without
/// reference counting. Whoever makes one guarantees the memory's lifetime; use is bounds-checked.
@safe package struct FloatView: @unchecked Sendable {
  package let pointer: UnsafeMutablePointer<Float>
  package let count: Int

  package init(_ pointer: UnsafeMutablePointer<Float>, count: Int) {
    unsafe self.pointer = pointer
    self.count = count
  }

  package subscript(index: Int) -> Float {
    get {
      precondition(index >= 0 && index < count)
      return unsafe pointer[index]
    }
    nonmutating set {
      precondition(index >= 0 && index < count)
      unsafe pointer[index] = newValue
    }
  }

  package func slice(_ start: Int, count: Int) -> FloatView {
    precondition(start >= 0 && count >= 0 && start + count <= self.count)
    return unsafe FloatView(pointer + start, count: count)
  }

  package func fill(with value: Float) { unsafe pointer.update(repeating: value, count: count) }

  package func copy(from source: FloatView) {
    precondition(source.count <= count)
    unsafe pointer.update(from: source.pointer, count: source.count)
  }

  package func array() -> [Float] {
    unsafe Array(UnsafeBufferPointer(start: pointer, count: count))
  }
}

/// A borrowed run of bytes in a buffer that outlives it: quantised weights and activations.
@safe package struct ByteView: @unchecked Sendable {
  package let pointer: UnsafeMutableRawPointer
  package let count: Int

  package init(_ pointer: UnsafeMutableRawPointer, count: Int) {
    unsafe self.pointer = pointer
    self.count = count
  }

  package func slice(_ start: Int, count: Int) -> ByteView {
    precondition(start >= 0 && count >= 0 && start + count <= self.count)
    return unsafe ByteView(pointer + start, count: count)
  }
}
