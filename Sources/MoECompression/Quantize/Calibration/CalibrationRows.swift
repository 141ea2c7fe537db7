package import MoECore
package import MoEKernels
package import MoEModel
package import MoEPlatform

/// Why calibration rows could not be kept.
package enum CalibrationError: Error, CustomStringConvertible {
  case file(FileError)
  case outOfMemory(OutOfMemory)
  /// There is no folder for what does not fit in memory.
  case memoryTooSmall(rowCount: Int)
  /// A row with numbers that are none.
  case notFinite(layer: Int)

  package var description: String {
    switch self {
    case .file(let error): error.description
    case .outOfMemory(let error): error.description
    case .memoryTooSmall(let rowCount):
      "\(rowCount) rows of calibration text fill the memory for them; give more memory, or a "
        + "folder for the rest"
    case .notFinite(let layer):
      "the calibration text makes numbers in layer \(layer) that are no finite ones, so the model "
        + "is damaged; download it again"
    }
  }
}

/// What the routed experts of one layer read of a calibration text: one flat list of rows and, for
/// each expert, which of them it gets with which weight (the list buffer of QMoE, arXiv 2310.16795,
/// section 3.2).
///
/// An expert keeps its first `tokenCountMax` rows; a row that no expert keeps is not stored. Rows
/// that do not fit the memory given are in a file without a name.
package final class CalibrationRows {
  package let layer: Int
  package let columnCount: Int
  package let expertCount: Int
  /// Rows that an expert keeps.
  package let tokenCountMax: Int
  /// Rows that were offered.
  package private(set) var tokenCount = 0
  /// Rows that are stored.
  package private(set) var rowCount = 0

  /// What an expert gets.
  package struct Share: Sendable {
    /// Numbers of stored rows, ascending, and the weight that each row gives the expert.
    package fileprivate(set) var rows: [UInt32] = []
    package fileprivate(set) var weights: [Float] = []
    /// Rows that were offered to it.
    package fileprivate(set) var offeredCount = 0
  }

  /// (expert)
  package private(set) var shares: [Share]

  /// (row, columnCount): the first rows.
  private let memory: AlignedBuffer
  private let memoryRowCount: Int
  private let folder: String?
  private var file: TemporaryFile?
  private var rowByteCount: Int { 4 * columnCount }

  /// Four times what an expert would get if each row went to one, and all experts got as many.
  package static func tokenCountMax(tokenCount: Int, expertCount: Int) -> Int {
    max(1, 4 * tokenCount / max(1, expertCount))
  }

  /// - Parameters:
  ///   - columnCount: Of the rows: the hidden size.
  ///   - tokenCount: Rows that the whole calibration text has.
  ///   - memoryByteCount: For rows; lists take 8 bytes more for each row of each expert.
  ///   - folder: Where a temporary file may be made; nil: rows must fit in memory.
  package init(
    layer: Int, columnCount: Int, expertCount: Int, tokenCount: Int, memoryByteCount: Int,
    folder: String?
  ) throws(CalibrationError) {
    precondition(columnCount > 0 && expertCount > 0 && tokenCount >= 0)
    self.layer = layer
    self.columnCount = columnCount
    self.expertCount = expertCount
    self.folder = folder
    tokenCountMax = Self.tokenCountMax(tokenCount: tokenCount, expertCount: expertCount)
    shares = Array(repeating: Share(), count: expertCount)
    memoryRowCount = min(tokenCount, max(0, memoryByteCount) / (4 * columnCount))
    do throws(OutOfMemory) {
      memory = try AlignedBuffer(byteCount: memoryRowCount * 4 * columnCount)
    } catch {
      throw .outOfMemory(error)
    }
  }

  /// Offers rows with the experts that each of them goes to.
  ///
  /// - Parameter isKept: False for rows that shall not count, such as those of special tokens.
  package func append(
    _ rows: FloatRows, _ selection: Selection, isKept: (_ row: Int) -> Bool = { _ in true }
  ) throws(CalibrationError) {
    precondition(rows.columnCount == columnCount && rows.rowCount == selection.tokenCount)
    for row in 0..<rows.rowCount where isKept(row) {
      tokenCount += 1
      var isStored = false
      for rank in 0..<selection.count(token: row) {
        let expert = selection.expert(token: row, rank: rank)
        precondition(expert < expertCount)
        shares[expert].offeredCount += 1
        guard shares[expert].rows.count < tokenCountMax else { continue }
        shares[expert].rows.append(UInt32(rowCount))
        shares[expert].weights.append(selection.weight(token: row, rank: rank))
        isStored = true
      }
      if isStored { try store(rows.row(row)) }
    }
  }

  private func store(_ values: FloatView) throws(CalibrationError) {
    for index in 0..<values.count where !values[index].isFinite { throw .notFinite(layer: layer) }
    if rowCount < memoryRowCount {
      memory.floats(atByteOffset: rowCount * rowByteCount, count: columnCount).copy(from: values)
    } else {
      let bytes = unsafe UnsafeRawBufferPointer(start: values.pointer, count: rowByteCount)
      do throws(FileError) {
        let file = try openFile()
        let offset = (rowCount - memoryRowCount) * rowByteCount
        unsafe try file.write(bytes, at: offset)
        if offset / Self.flushByteCount != (offset + rowByteCount) / Self.flushByteCount {
          file.flush(max(0, offset - 2 * Self.flushByteCount)..<offset)
        }
      } catch {
        if folder == nil { throw .memoryTooSmall(rowCount: rowCount) }
        throw .file(error)
      }
    }
    rowCount += 1
  }

  /// As much as the kernel holds of the file before it is told to write it.
  private static let flushByteCount = 32 << 20

  private func openFile() throws(FileError) -> TemporaryFile {
    if let file { return file }
    let made = try TemporaryFile(inFolder: folder ?? "")
    file = made
    return made
  }

  /// An expert's rows in their order, some at a time.
  ///
  /// - Parameters:
  ///   - scaled: Whether rows are multiplied with their weights: where a model multiplies the
  ///     experts' input by them, and not their output.
  ///   - body: Gets at most `room.rowCount` rows, in the room.
  package func forEachChunk(
    of expert: Int, scaled: Bool = false, _ room: FloatRows, _ body: (FloatRows) -> Void
  ) throws(CalibrationError) {
    precondition(room.columnCount == columnCount && room.rowCount > 0)
    let share = shares[expert]
    for start in stride(from: 0, to: share.rows.count, by: room.rowCount) {
      let count = min(room.rowCount, share.rows.count - start)
      for index in 0..<count {
        let target = room.row(index)
        try read(Int(share.rows[start + index]), into: target)
        guard scaled else { continue }
        for column in 0..<columnCount { target[column] *= share.weights[start + index] }
      }
      body(room.rows(0, count: count))
    }
  }

  private func read(_ row: Int, into target: FloatView) throws(CalibrationError) {
    if row < memoryRowCount {
      let source = memory.floats(atByteOffset: row * rowByteCount, count: columnCount)
      return target.copy(from: source)
    }
    guard let file else { preconditionFailure("a row that was never stored") }
    let bytes = unsafe UnsafeMutableRawBufferPointer(start: target.pointer, count: rowByteCount)
    do throws(FileError) {
      unsafe try file.read(at: (row - memoryRowCount) * rowByteCount, into: bytes)
    } catch {
      throw .file(error)
    }
  }
}
