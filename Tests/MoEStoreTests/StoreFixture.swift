import Foundation
import MoECore
import MoEStore
import Testing

/// Bytes that differ from place to place, so that data at the wrong place is noticed.
func patternedBytes(count: Int, seed: UInt64) -> [UInt8] {
  var generator = SeededGenerator(seed: seed)
  return unsafe [UInt8](unsafeUninitializedCapacity: count) { target, initialized in
    var word: UInt64 = 0
    for index in 0..<count {
      if index % 8 == 0 { word = generator.next() }
      unsafe target[index] = UInt8(truncatingIfNeeded: word >> (UInt64(index % 8) * 8))
    }
    initialized = count
  }
}

/// Files in a directory of their own, removed with this object.
final class TemporaryFiles {
  let directory: URL
  let contents: [[UInt8]]
  let files: [StoreFile]

  /// In `/tmp`, or wherever `parent` says.
  init(_ contents: [[UInt8]], in parent: URL = FileManager.default.temporaryDirectory) throws {
    let directory = parent.appendingPathComponent("moe-store-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    var files: [StoreFile] = []
    for (index, bytes) in contents.enumerated() {
      let url = directory.appendingPathComponent("shard-\(index).bin")
      try Data(bytes).write(to: url)
      files.append(StoreFile(path: url.path, byteCount: bytes.count))
    }
    self.directory = directory
    self.contents = contents
    self.files = files
  }

  deinit { try? FileManager.default.removeItem(at: directory) }
}

/// A reader through the backend of that name; cancels the test, with the reason, where this machine
/// does not let the backend work.
func makeReader(
  _ name: String, _ files: TemporaryFiles, limits: ExtentReader.Limits = ExtentReader.Limits()
) throws -> ExtentReader {
  let result = Result {
    try ExtentReader(files: files.files, backend: .named(name), limits: limits)
  }
  if case .failure(let error as StoreError) = result,
    case .backendUnavailable = error
  {
    try Test.cancel("\(error)")
  }
  return try result.get()
}

/// Memory for a set of parts, each in a slot of its own, filled with a mark at first.
final class PartBuffer {
  let memory: AlignedBuffer
  let parts: [ReadPart]
  let placement: ReadPlacement
  private static let mark: UInt8 = 0xEE

  init(_ extents: [FileExtent], _ placement: ReadPlacement) throws {
    let slots = extents.map { placement.slotByteCount(for: $0) }
    memory = try AlignedBuffer(byteCount: max(slots.reduce(0, +), 1))
    unsafe memory.baseAddress.initializeMemory(
      as: UInt8.self, repeating: Self.mark, count: memory.byteCount)
    var offset = 0
    var parts: [ReadPart] = []
    for (extent, slot) in zip(extents, slots) {
      unsafe parts.append(
        ReadPart(extent: extent, destination: memory.baseAddress + offset, capacity: slot))
      offset += slot
    }
    self.parts = parts
    self.placement = placement
  }

  /// Submits some of the parts, or all.
  func submit(
    to reader: ExtentReader, tag: Int, _ range: Range<Int>? = nil,
    priority: ReadPriority = .demand
  ) throws(StoreError) {
    let parts = Array(self.parts[range ?? self.parts.indices])
    try reader.submit(tag: tag, parts: parts.span, priority: priority)
  }

  func read(with reader: ExtentReader) throws(StoreError) {
    let parts = parts
    try reader.read(parts.span)
  }

  /// What stands where the part's extent should be.
  func bytes(ofPart index: Int) -> [UInt8] {
    let extent = parts[index].extent
    let start = unsafe parts[index].destination + placement.phase(of: extent)
    return unsafe Array(UnsafeRawBufferPointer(start: start, count: extent.byteCount))
  }

  /// Whether every part holds the bytes of its extent.
  func holds(_ contents: [[UInt8]]) -> Bool {
    parts.indices.allSatisfy { index in
      let extent = parts[index].extent
      let end = extent.offset + extent.byteCount
      return bytes(ofPart: index).elementsEqual(contents[extent.fileIndex][extent.offset..<end])
    }
  }

  func everyByte(is value: UInt8) -> Bool {
    unsafe UnsafeRawBufferPointer(start: memory.baseAddress, count: memory.byteCount)
      .allSatisfy { $0 == value }
  }

  /// Whether nothing was written past what a part may write.
  var isUntouchedBetweenParts: Bool {
    parts.allSatisfy { part in
      let end = placement.readByteCount(for: part.extent)
      return (end..<max(part.capacity, end)).allSatisfy {
        unsafe part.destination.load(fromByteOffset: $0, as: UInt8.self) == Self.mark
      }
    }
  }
}

/// Random extents inside files, some of them empty, some up to the very end.
func randomExtents(
  count: Int, in byteCounts: [Int], byteCountMax: Int, using generator: inout SeededGenerator
) -> [FileExtent] {
  (0..<count).map { _ in
    let file = Int.random(in: byteCounts.indices, using: &generator)
    let size = Int.random(in: 0...min(byteCountMax, byteCounts[file]), using: &generator)
    let last = byteCounts[file] - size
    let offset =
      Int.random(in: 0..<8, using: &generator) == 0
      ? last : Int.random(in: 0...last, using: &generator)
    return FileExtent(fileIndex: file, offset: offset, byteCount: size)
  }
}
