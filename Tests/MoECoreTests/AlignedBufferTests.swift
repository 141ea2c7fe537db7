import Foundation
import MoECore
import MoESynthetic
import Testing

@Suite struct AlignedBufferTests {
  @Test(arguments: [0, 1, 4095, 4096, 4097, 2 << 20, (2 << 20) - 1, (2 << 20) + 1, 5_000_000])
  func isAlignedZeroedAndRoundedUp(byteCount: Int) throws {
    let buffer = try AlignedBuffer(byteCount: byteCount)
    let unit = byteCount >= 2 << 20 ? 2 << 20 : 4096
    #expect(buffer.byteCount == byteCount)
    #expect(unsafe Int(bitPattern: buffer.baseAddress) % unit == 0)
    #expect(buffer.mappedByteCount == max(1, (byteCount + unit - 1) / unit) * unit)
    #expect(buffer.mappedByteCount == AlignedBuffer.mappedByteCount(for: byteCount))
    let view = buffer.bytes(count: byteCount)
    let isZero = unsafe UnsafeRawBufferPointer(start: view.pointer, count: view.count)
      .allSatisfy { $0 == 0 }
    #expect(isZero)
  }

  @Test func populatingMakesEveryPageResidentAndKeepsThemZero() throws {
    let byteCount = 40 << 20
    let buffer = try AlignedBuffer(byteCount: byteCount)
    let before = try residentByteCount(buffer)
    #expect(before == 0)
    buffer.populate()
    #expect(try residentByteCount(buffer) == byteCount)
    let floats = buffer.floats(count: byteCount / 4)
    #expect((0..<floats.count).allSatisfy { floats[$0] == 0 })
  }

  /// Pages of the buffer that the kernel has provided, by mincore(2).
  private func residentByteCount(_ buffer: borrowing AlignedBuffer) throws -> Int {
    var pages = [UInt8](repeating: 0, count: buffer.mappedByteCount / AlignedBuffer.pageByteCount)
    let code = unsafe mincore(buffer.baseAddress, buffer.mappedByteCount, &pages)
    try #require(code == 0)
    return pages.count { $0 & 1 == 1 } * AlignedBuffer.pageByteCount
  }

  @Test func viewsReachWhatTheBufferHoldsAndNoFurther() throws {
    let buffer = try AlignedBuffer(byteCount: 100)
    let floats = buffer.floats(atByteOffset: 4, count: 24)
    floats[23] = 7
    #expect(buffer.floats(count: 25)[24] == 7)
    #expect(buffer.bytes(atOffset: 100, count: 0).count == 0)
  }

  @Test func viewsBeyondTheBufferTrap() async {
    await #expect(processExitsWith: .failure) {
      _ = try AlignedBuffer(byteCount: 100).floats(atByteOffset: 4, count: 25)
    }
    await #expect(processExitsWith: .failure) {
      _ = try AlignedBuffer(byteCount: 100).bytes(atOffset: 1, count: 100)
    }
    await #expect(processExitsWith: .failure) {
      _ = try AlignedBuffer(byteCount: 100).floats(count: 25)[25]
    }
  }

  @Test func whatTheSystemCannotGiveIsAnError() {
    let error = #expect(throws: OutOfMemory.self) { _ = try AlignedBuffer(byteCount: 1 << 60) }
    #expect(error?.byteCount == 1 << 60)
    #expect(error?.description.contains("1048576.0 TiB") == true)
  }
}
