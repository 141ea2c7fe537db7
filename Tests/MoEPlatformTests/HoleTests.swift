import Foundation
import MoEPlatform
import Testing

/// Holes of files, against files whose holes are known because they were made here.
@Suite struct HoleTests {
  private let place: TemporaryPlace
  /// Larger than the blocks of common file systems, so that what is not written stays a hole.
  private static let block = 64 << 10

  init() throws { place = try TemporaryPlace() }

  /// A file of blocks that are written where the pattern has a 1.
  private func file(_ pattern: [Int], surplus: Int = 0) throws -> InputFile {
    let path = place.path("sparse-\(UUID().uuidString)")
    let descriptor = unsafe open(path, O_WRONLY | O_CREAT, 0o600)
    defer { close(descriptor) }
    let bytes = [UInt8](repeating: 7, count: Self.block)
    for (index, isWritten) in pattern.enumerated() where isWritten == 1 {
      #expect(unsafe pwrite(descriptor, bytes, bytes.count, index * Self.block) == bytes.count)
    }
    #expect(unsafe truncate(path, pattern.count * Self.block + surplus) == 0)
    return try InputFile(path)
  }

  private func ranges(_ pattern: [Int], surplus: Int = 0) -> [Range<Int>] {
    var ranges: [Range<Int>] = []
    let sizes =
      pattern.map { (isHole: $0 == 0, count: Self.block) }
      + (surplus > 0 ? [(isHole: true, count: surplus)] : [])
    var start = 0
    for (isHole, count) in sizes {
      if isHole, let last = ranges.last, last.upperBound == start {
        ranges[ranges.count - 1] = last.lowerBound..<start + count
      } else if isHole {
        ranges.append(start..<start + count)
      }
      start += count
    }
    return ranges
  }

  @Test func findsEveryPatternOfFiveBlocks() throws {
    guard try !file([1, 0, 1]).holes().isEmpty else {
      try Test.cancel("this file system does not tell of holes")
    }
    for number in 0..<32 {
      let pattern = (0..<5).map { number >> $0 & 1 }
      for surplus in [0, 5000] {
        let found = try file(pattern, surplus: surplus).holes()
        #expect(found == ranges(pattern, surplus: surplus), "\(pattern), surplus \(surplus)")
      }
    }
  }

  @Test func looksOnlyWhereItIsAsked() throws {
    let file = try file([1, 0, 0, 1])
    let block = Self.block
    guard !file.holes().isEmpty else { try Test.cancel("this file system tells of no holes") }
    #expect(file.firstHole(in: 0..<block) == nil)
    #expect(file.firstHole(in: 0..<block + 1) == block..<block + 1)
    #expect(file.firstHole(in: block + 10..<4 * block) == block + 10..<3 * block)
    #expect(file.firstHole(in: 3 * block..<9 * block) == nil)
    #expect(file.firstHole(in: 9 * block..<10 * block) == nil)
    #expect(file.holes(countMax: 0).isEmpty)
  }

  @Test func aPreallocatedPlaceIsAHole() throws {
    let path = place.path("allocated")
    let descriptor = unsafe open(path, O_RDWR | O_CREAT, 0o600)
    defer { close(descriptor) }
    guard posix_fallocate(descriptor, 0, 4 * Self.block) == 0 else {
      try Test.cancel("this file system allocates nothing ahead")
    }
    let bytes = [UInt8](repeating: 7, count: Self.block)
    #expect(unsafe pwrite(descriptor, bytes, bytes.count, 0) == bytes.count)
    #expect(fsync(descriptor) == 0)
    let holes = try InputFile(path).holes()
    guard !holes.isEmpty else { try Test.cancel("this file system tells of no holes") }
    #expect(holes == [Self.block..<4 * Self.block])
  }

  @Test func aHugeFileOfNothingTakesNoTime() throws {
    let path = place.path("huge")
    try Data().write(to: URL(fileURLWithPath: path))
    guard unsafe truncate(path, 1 << 42) == 0 else { try Test.cancel("no files of 4 TiB here") }
    let holes = try InputFile(path).holes()
    #expect(holes.isEmpty || holes == [0..<1 << 42])
  }
}
