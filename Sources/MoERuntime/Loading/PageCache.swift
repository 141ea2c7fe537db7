import MoECore
private import MoEPlatform
import MoEStore

/// The kernel's copies of file pages.
package enum PageCache {
  /// What is left of a model in the page cache after an attempt to drop it.
  package struct Remainder: Hashable, Sendable {
    /// Nil where the system does not tell: then nobody knows whether the disk will be asked.
    package let byteCount: Int?
    package let fileByteCount: Int

    package init(byteCount: Int?, fileByteCount: Int) {
      self.byteCount = byteCount
      self.fileByteCount = fileByteCount
    }

    /// Whether what is read next comes from the disk. A header's worth of pages may be there, which
    /// others who open the model read meanwhile.
    package var isCold: Bool { byteCount.map { $0 <= fileByteCount / 20 } ?? false }

    /// What keeps a measurement from being one of the disk; nil where nothing does.
    package var obstacle: String? {
      guard !isCold else { return nil }
      let left = byteCount.map { "\(ByteSize($0)) of \(ByteSize(fileByteCount)) stayed in it" }
      return "the page cache could not be emptied: "
        + (left ?? "the system does not say what it holds of files of another user")
    }
  }

  /// Drops the copies of a model's files, as far as no other process maps them, and says what is
  /// left. Needs no more than the right to read the files, and takes nothing from other programs.
  package static func drop(modelAt path: String) throws(EngineError) -> Remainder {
    var (left, total): (Int?, Int) = (0, 0)
    for stored in try LoadedHeader(path: path).files {
      do throws(FileError) {
        let file = try InputFile(stored.path)
        file.dropFromPageCache()
        let cached = file.cachedByteCount(in: 0..<stored.byteCount)
        left = left.flatMap { left in cached.map { left + $0 } }
      } catch {
        throw .store("\(error); make sure that the file can be read")
      }
      total += stored.byteCount
    }
    return Remainder(byteCount: left, fileByteCount: total)
  }
}
