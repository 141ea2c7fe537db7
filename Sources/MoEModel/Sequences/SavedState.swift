import MoECore
import MoEKernels

/// Why the bytes of a saved sequence cannot be used.
package enum SavedStateError: Error, Sendable, Equatable, CustomStringConvertible {
  /// They begin like nothing that was saved here.
  case notAState
  case unknownVersion(UInt32)
  /// Saved by another model, or with another type of keys and values.
  case otherModel
  /// There are more or fewer bytes than the state has.
  case wrongLength(expected: Int, found: Int)
  case damaged
  /// Longer than the context.
  case tooLong(position: Int, contextLength: Int)

  package var description: String {
    switch self {
    case .notAState: "this is no saved sequence"
    case .unknownVersion(let version):
      "the saved sequence has version \(version), which this program does not know; save it anew"
    case .otherModel: "the sequence was saved by another model or with other keys and values"
    case .wrongLength(let expected, let found):
      "the saved sequence should have \(expected) bytes and has \(found); it was cut or damaged"
    case .damaged: "the saved sequence is damaged: its checksum is wrong"
    case .tooLong(let position, let contextLength):
      "the saved sequence has \(position) tokens, more than the context of \(contextLength)"
    }
  }
}

/// A saved sequence: a header, what each layer keeps, a checksum. Numbers are little-endian.
///
/// Header: eight characters; version (32 bits); fingerprint of what the layers keep (64); position
/// (64). Then by layer keys, then values: head by head the elements of all positions that are kept;
/// or the layer's state of fixed size, unless the position is 0. Then the CRC-32 of everything
/// before (32).
struct SavedState {
  static let magic: [UInt8] = Array("MOESTATE".utf8)
  static let version: UInt32 = 1
  static let headerByteCount = 28
  static let checksumByteCount = 4

  let layout: StateLayout
  let position: Int

  /// The first position of a group that is saved: a window's pages have no more than it.
  func firstPosition(group: StateLayout.Group) -> Int {
    group.window.map { max(0, position - $0 + 1) } ?? 0
  }

  /// States of fixed size begin with a text's first row.
  private var states: [StateLayout.StateLocation?] { position == 0 ? [] : layout.states }

  var byteCount: Int {
    let positions = layout.locations.compactMap(\.self).reduce(0) { sum, location in
      let count = position - firstPosition(group: layout.groups[location.group])
      return sum + count * location.attention.byteCountPerPosition(layout.type)
    }
    return Self.headerByteCount + Self.checksumByteCount + positions
      + states.reduce(0) { $0 + ($1?.state.byteCount ?? 0) }
  }

  /// The runs of bytes in a sequence's pages that are saved, in order.
  func forEachRun(
    of sequence: SequenceState, in pool: borrowing PagePool, _ body: (ByteView) -> Void
  ) {
    for layer in layout.locations.indices {
      if let location = layout.locations[layer] {
        forEachRun(of: sequence, in: pool, location, body)
      }
      if let location = states.isEmpty ? nil : states[layer] {
        let page = sequence.pages[location.group][sequence.stateNumber]
        let bytes = pool.page(page, group: location.group)
        for part in location.state.parts {
          body(bytes.slice(location.offset + 4 * part.lowerBound, count: 4 * part.count))
        }
      }
    }
  }

  private func forEachRun(
    of sequence: SequenceState, in pool: borrowing PagePool, _ location: StateLayout.Location,
    _ body: (ByteView) -> Void
  ) {
    let attention = location.attention
    let offsets = [location.keyOffset, location.valueOffset].compactMap(\.self)
    for (offset, dimension) in zip(offsets, attention.keptDimensions) {
      for head in 0..<attention.keyValueHeadCount {
        forEachRun(
          of: sequence, in: pool, group: location.group, offset: offset, head: head,
          positionByteCount: layout.type.byteCount(dimension: dimension), body)
      }
    }
  }

  private func forEachRun(
    of sequence: SequenceState, in pool: borrowing PagePool, group number: Int, offset: Int,
    head: Int, positionByteCount: Int, _ body: (ByteView) -> Void
  ) {
    let group = layout.groups[number]
    var start = firstPosition(group: group)
    while start < position {
      let page = start / group.pagePositionCount
      let end = min((page + 1) * group.pagePositionCount, position)
      let own = sequence.pages[number][page % (group.ringPageCount ?? Int.max)]
      let first = head * group.pagePositionCount + start % group.pagePositionCount
      body(
        pool.page(own, group: number).slice(
          offset + first * positionByteCount, count: (end - start) * positionByteCount))
      start = end
    }
  }
}

extension StateLayout {
  /// Tells apart what cannot serve each other: of what the layers keep, not of how it is paged.
  func fingerprint(_ description: ModelDescription) -> UInt64 {
    var hash = FNV1a()
    func update(_ text: String) { for byte in text.utf8 { hash.update(byte) } }
    update("\(description.architecture) \(description.hiddenSize) \(type)")
    for layer in description.layers { if let mixer = layer.mixer { update("\(mixer)") } }
    return hash.value
  }
}

extension Decoder {
  /// What a sequence keeps, as bytes that `restore` takes: the same model then goes on with the
  /// same bits. Not the state of its gating.
  package func save(_ sequence: SequenceState) -> [UInt8] {
    precondition(sequence.isIntact)
    let state = SavedState(layout: pool.layout, position: sequence.position)
    var bytes = SavedState.magic
    bytes.reserveCapacity(state.byteCount)
    bytes.appendLittleEndian(SavedState.version)
    bytes.appendLittleEndian(pool.layout.fingerprint(description))
    bytes.appendLittleEndian(UInt64(sequence.position))
    state.forEachRun(of: sequence, in: pool) { run in
      unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(start: run.pointer, count: run.count))
    }
    bytes.appendLittleEndian(CRC32(bytes).value)
    return bytes
  }

  /// Puts what was saved into a sequence that has begun and holds nothing. Where it throws, nothing
  /// has changed.
  package func restore(
    _ bytes: [UInt8], into sequence: SequenceState
  ) throws(SavedStateError) {
    precondition(sequence.position == 0 && sequences[sequence.id.rawValue] === sequence)
    let state = try checked(bytes)
    takePages(for: sequence, positions: state.position)
    holdPages(isNew: true)
    var offset = SavedState.headerByteCount
    unsafe bytes.withUnsafeBytes { source in
      state.forEachRun(of: sequence, in: pool) { run in
        unsafe UnsafeMutableRawBufferPointer(start: run.pointer, count: run.count)
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[offset..<offset + run.count]))
        offset += run.count
      }
    }
    sequence.position = state.position
    sequence.writtenCount = state.position
    sequence.restoredCount = state.position
  }

  /// Makes of a sequence that has begun and holds nothing the first tokens of another, which can go
  /// on there. Not the state of its gating.
  package func copyBeginning(
    of source: SequenceState, to target: SequenceState, count: Int
  ) {
    precondition(target.position == 0 && sequences[target.id.rawValue] === target)
    precondition(count > 0 && source.canGoOn(at: count))
    takePages(for: target, positions: count)
    holdPages(isNew: true)
    let state = SavedState(layout: pool.layout, position: count)
    var runs: [ByteView] = []
    state.forEachRun(of: source, in: pool) { runs.append($0) }
    var number = 0
    state.forEachRun(of: target, in: pool) { run in
      unsafe run.pointer.copyMemory(from: runs[number].pointer, byteCount: run.count)
      number += 1
    }
    target.position = count
    target.writtenCount = count
    target.restoredCount = count
  }

  private func checked(_ bytes: [UInt8]) throws(SavedStateError) -> SavedState {
    guard bytes.count >= SavedState.headerByteCount,
      bytes.prefix(SavedState.magic.count).elementsEqual(SavedState.magic)
    else { throw .notAState }
    let version = bytes.littleEndian(at: 8, as: UInt32.self)
    guard version == SavedState.version else { throw .unknownVersion(version) }
    guard bytes.littleEndian(at: 12, as: UInt64.self) == pool.layout.fingerprint(description)
    else { throw .otherModel }
    let position = bytes.littleEndian(at: 20, as: UInt64.self)
    guard position <= UInt64(contextLength) else {
      throw .tooLong(position: Int(clamping: position), contextLength: contextLength)
    }
    let state = SavedState(layout: pool.layout, position: Int(position))
    guard bytes.count == state.byteCount else {
      throw .wrongLength(expected: state.byteCount, found: bytes.count)
    }
    let end = bytes.count - SavedState.checksumByteCount
    guard
      bytes.littleEndian(at: end, as: UInt32.self) == CRC32(bytes[..<end]).value
    else { throw .damaged }
    return state
  }
}

extension [UInt8] {
  fileprivate mutating func appendLittleEndian(_ value: some FixedWidthInteger) {
    for byte in 0..<value.bitWidth / 8 { append(UInt8(truncatingIfNeeded: value >> (8 * byte))) }
  }

  fileprivate func littleEndian<Value: FixedWidthInteger>(
    at offset: Int, as type: Value.Type
  ) -> Value {
    self[offset..<offset + Value.bitWidth / 8].reversed().reduce(0) { $0 << 8 | Value($1) }
  }
}
