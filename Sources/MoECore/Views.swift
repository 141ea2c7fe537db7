/// A borrowed run of numbers in a buffer that outlives it: scratch, weights, logits, row numbers.
///
/// A pointer and a count, trivially copyable, so that it can be kept in job descriptions without
/// reference counting. Whoever makes one guarantees the memory's lifetime; users are
/// bounds-checked. Inlinable, because a call for each of a vocabulary's logits would show.
@safe @usableFromInline package struct ElementView<Element: BitwiseCopyable> {
  @usableFromInline package let pointer: UnsafeMutablePointer<Element>
  @usableFromInline package let count: Int

  @inlinable package init(_ pointer: UnsafeMutablePointer<Element>, count: Int) {
    unsafe self.pointer = pointer
    self.count = count
  }

  @inlinable package subscript(index: Int) -> Element {
    get {
      precondition(index >= 0 && index < count)
      return unsafe pointer[index]
    }
    nonmutating set {
      precondition(index >= 0 && index < count)
      unsafe pointer[index] = newValue
    }
  }

  @inlinable package func slice(_ start: Int, count: Int) -> ElementView {
    precondition(start >= 0 && count >= 0 && start + count <= self.count)
    return unsafe ElementView(pointer + start, count: count)
  }

  package func fill(with value: Element) {
    unsafe pointer.update(repeating: value, count: count)
  }

  package func copy(from source: ElementView) {
    precondition(source.count <= count)
    unsafe pointer.update(from: source.pointer, count: source.count)
  }

  package func array() -> [Element] {
    unsafe Array(UnsafeBufferPointer(start: pointer, count: count))
  }
}

/// Hidden states, projections, logits, norm weights.
package typealias FloatView = ElementView<Float>

/// Small integers: token ids, positions in a chunk, row numbers.
package typealias IndexView = ElementView<UInt32>

/// A borrowed run of bytes in a buffer that outlives it: quantised weights and activations.
@safe package struct ByteView {
  package let pointer: UnsafeMutableRawPointer
  package let count: Int

  package init(_ pointer: UnsafeMutableRawPointer, count: Int) {
    unsafe self.pointer = pointer
    self.count = count
  }

  package func fill(with byte: UInt8) {
    unsafe pointer.initializeMemory(as: UInt8.self, repeating: byte, count: count)
  }

  package func slice(_ start: Int, count: Int) -> ByteView {
    precondition(start >= 0 && count >= 0 && start + count <= self.count)
    return unsafe ByteView(pointer + start, count: count)
  }

  package func copy(from source: ByteView) {
    precondition(source.count <= count)
    unsafe pointer.copyMemory(from: source.pointer, byteCount: source.count)
  }

  package func copy(from source: [UInt8]) {
    precondition(source.count <= count)
    unsafe source.withUnsafeBytes { source in
      if let start = source.baseAddress {
        unsafe pointer.copyMemory(from: start, byteCount: source.count)
      }
    }
  }

  package subscript(index: Int) -> UInt8 {
    get {
      precondition(index >= 0 && index < count)
      return unsafe pointer.load(fromByteOffset: index, as: UInt8.self)
    }
    nonmutating set {
      precondition(index >= 0 && index < count)
      unsafe pointer.storeBytes(of: newValue, toByteOffset: index, as: UInt8.self)
    }
  }

  package func array() -> [UInt8] {
    unsafe Array(UnsafeRawBufferPointer(start: pointer, count: count))
  }

  package func isEqual(to other: ByteView) -> Bool {
    unsafe UnsafeRawBufferPointer(start: pointer, count: count)
      .elementsEqual(UnsafeRawBufferPointer(start: other.pointer, count: other.count))
  }

  /// Writes four bytes from an offset on, at any address, the lowest first.
  package func set(_ word: UInt32, at offset: Int) {
    precondition(offset >= 0 && offset + 4 <= count)
    unsafe pointer.storeBytes(of: word.littleEndian, toByteOffset: offset, as: UInt32.self)
  }

  /// Four bytes from an offset on, at any address, the lowest first.
  package func littleEndianWord(at offset: Int) -> UInt32 {
    precondition(offset >= 0 && offset + 4 <= count)
    return UInt32(
      littleEndian: unsafe pointer.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
  }
}
