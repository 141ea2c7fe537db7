import Foundation
import MoEPlatform
import MoERuntime
import MoESynthetic
import MoETestSupport
import Testing

/// Measurements that are to be of the disk, and what keeps them from it.
@Suite struct PageCacheTests {
  @Test func whatIsMappedStaysAndIsToldOf() throws {
    let model = try TinyModel { $0.vocabularySize = 4096 }
    let file = try InputFile(model.path)
    let byteCount = file.identity.byteCount
    file.dropFromPageCache()
    guard file.cachedByteCount(in: 0..<byteCount) == 0 else {
      try Test.cancel("this file system keeps its pages")
    }
    let dropped = try PageCache.drop(modelAt: model.path)
    #expect(dropped.isCold && dropped.obstacle == nil && dropped.fileByteCount == byteCount)
    let address = try unsafe #require(
      mmap(nil, byteCount, PROT_READ, MAP_SHARED, file.descriptor, 0))
    defer { unsafe munmap(address, byteCount) }
    var sum = 0
    for offset in stride(from: 0, to: byteCount, by: 4096) {
      sum += Int(unsafe address.load(fromByteOffset: offset, as: UInt8.self))
    }
    #expect(sum > 0)
    let kept = try PageCache.drop(modelAt: model.path)
    #expect(!kept.isCold && (kept.byteCount ?? 0) >= byteCount / 2)
    #expect(kept.obstacle?.contains("could not be emptied") == true)
  }

  @Test func whatNobodyKnowsIsNotCold() {
    let unknown = PageCache.Remainder(byteCount: nil, fileByteCount: 1000)
    #expect(!unknown.isCold && unknown.obstacle?.contains("does not say") == true)
    #expect(PageCache.Remainder(byteCount: 50, fileByteCount: 1000).isCold)
    #expect(!PageCache.Remainder(byteCount: 51, fileByteCount: 1000).isCold)
  }
}
