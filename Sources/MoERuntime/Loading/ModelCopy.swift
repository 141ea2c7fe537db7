import MoECore
import MoEFormats
private import MoEPlatform
import MoEStore

/// A copy of a model's files on another disk.
enum ModelCopy {
  /// Places that are compared, of so many bytes each.
  private static let (sampleCount, sampleByteCount) = (64, 16 << 10)

  /// The files of the copy that a path names, in the order of the model's own.
  ///
  /// They must have the same sizes and the same bytes at places spread over each file: to compare
  /// all would take as long as to copy again.
  static func files(
    of path: String, copying originals: [StoreFile]
  ) throws(EngineError) -> [StoreFile] {
    let model: any StoredModel
    do {
      model = try FormatRegistry.open(path)
    } catch {
      throw .format(error)
    }
    let copies = model.files.map {
      StoreFile(path: $0.path, byteCount: $0.byteCount, identity: $0.identity)
    }
    guard copies.count == originals.count else {
      throw .store(
        "\(path) is no copy of the model: it has \(copies.count) files, the model "
          + "\(originals.count); give a copy of all of them")
    }
    for (copy, original) in zip(copies, originals) {
      if let difference = try difference(copy, original) {
        throw .store(
          "\(copy.path) is no copy of \(original.path): \(difference); copy the file again")
      }
    }
    return copies
  }

  /// What tells two files apart; nil where nothing was found to.
  private static func difference(
    _ copy: StoreFile, _ original: StoreFile
  ) throws(EngineError) -> String? {
    guard copy.byteCount == original.byteCount else {
      return "it has \(copy.byteCount) bytes instead of \(original.byteCount)"
    }
    do throws(FileError) {
      let files = (try InputFile(copy.path), try InputFile(original.path))
      defer {
        // Pages that were read here count against the memory of this process.
        files.0.dropFromPageCache()
        files.1.dropFromPageCache()
      }
      let last = max(0, copy.byteCount - sampleByteCount)
      for sample in 0..<sampleCount {
        let offset = last / max(1, sampleCount - 1) * sample
        let found = try files.0.bytes(at: offset, count: sampleByteCount)
        let wanted = try files.1.bytes(at: offset, count: sampleByteCount)
        if found != wanted { return "other bytes from byte \(offset) on" }
      }
      return nil
    } catch {
      throw .store("\(error); make sure that the file can be read")
    }
  }
}
