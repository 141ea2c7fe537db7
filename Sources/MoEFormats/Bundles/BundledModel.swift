package import MoECore
import MoEPlatform
package import MoEStore

/// A model that is in a bundle as a whole: its GGUF headers, and its tensors either as they were or
/// in the bundle's records.
///
/// The one file is the bundle. Tensors have the place where the bundle keeps them, and that range's
/// checksum; those in records have no place of their own (`FileExtent.isNowhere`).
package struct BundledModel: StoredModel {
  private let table: Bundle
  /// The model's headers. Its tensors are where they were in the model's own files, whose sizes the
  /// bundle's `marks` have.
  package let original: GGUFFile
  package let files: [ModelFile]
  package let tensors: [TensorDescriptor]

  /// Reads the bundle's table and, out of it, the headers of the model's files.
  package init(path: String) throws(FormatError) {
    let input: InputFile
    do throws(BundleError) {
      table = try Bundle(path: path)
    } catch {
      throw FormatError(error, path: path)
    }
    guard table.isStandalone else {
      throw FormatError(
        .otherFormat, path: path, wanted: "a model",
        found: "a bundle of experts, which stands beside its model",
        advice: "give the model's own file, or pack it with --standalone")
    }
    do throws(FileError) {
      input = try InputFile(path)
    } catch {
      throw FormatError(BundleError.file(error), path: path)
    }
    // Pages that are read here count against the memory of this process.
    defer { input.dropFromPageCache(0..<input.identity.byteCount) }
    guard input.identity == table.file.identity else {
      throw FormatError(
        .unreadable, path: path, wanted: "a file that stays as it is",
        found: "one that changes while it is read")
    }
    var sources: [BundledBytes] = []
    for (index, mark) in table.marks.enumerated() {
      sources.append(
        try BundledBytes(
          input, ranges: table.ranges(ofFile: index), fileByteCount: mark.byteCount))
    }
    original = try GGUFFile(try Shard.all(sources, identity: input.identity))
    files = [ModelFile(path: path, identity: input.identity)]
    let ranges = Dictionary(table.ranges.map { ($0.extent, $0) }, uniquingKeysWith: { $1 })
    tensors = original.tensors.map { tensor in
      var tensor = tensor
      let range = ranges[tensor.extent]
      tensor.extent = range?.stored ?? .nowhere(byteCount: tensor.extent.byteCount)
      tensor.checksum = range?.checksum
      return tensor
    }
  }

  package var bundle: Bundle? { table }
  package var sourceName: String { files[0].path }
  package var headerByteCount: Int { original.headerByteCount }
  package var formatName: String { "\(original.formatName) in a bundle" }
  package var keys: [String] { original.keys }

  package func value(forKey key: String) -> MetadataValue? { original.value(forKey: key) }

  package func storedArray(forKey key: String) -> StoredArray? {
    original.storedArray(forKey: key)
  }

  package func requireModel() throws(FormatError) { try original.requireModel() }
}

/// The bytes of one of a model's files, as far as a bundle keeps them as they were.
private struct BundledBytes: ByteSource {
  private let input: InputFile
  /// Ascending; the first begins with the file's first byte.
  private let ranges: [BundleRange]
  let byteCount: Int

  var path: String { input.path }

  /// Throws where the header, which is in the first range, is damaged.
  init(
    _ input: InputFile, ranges: [BundleRange], fileByteCount: Int
  ) throws(FormatError) {
    self.input = input
    self.ranges = ranges
    byteCount = fileByteCount
    let isSound: Bool
    do throws(FileError) {
      isSound = try ranges.first?.isSound(in: input) ?? false
    } catch {
      throw FormatError(BundleError.file(error), path: input.path)
    }
    guard isSound else {
      throw FormatError(
        .malformed, path: input.path, subject: "the model's header",
        wanted: "the bytes that were packed", found: "others",
        advice: "copy the bundle again, or pack the model again")
    }
  }

  /// As many as one range has: what is in records is no header's.
  func bytes(at offset: Int, count: Int) throws(FormatError) -> [UInt8] {
    guard let range = ranges.last(where: { $0.extent.offset <= offset }) else { return [] }
    let skipped = offset - range.extent.offset
    let rest = range.extent.byteCount - skipped
    guard rest > 0 else { return [] }
    do throws(FileError) {
      return try input.bytes(at: range.place + skipped, count: min(count, rest))
    } catch {
      throw FormatError(BundleError.file(error), path: input.path)
    }
  }
}

extension FormatError {
  /// What is wrong with a bundle that shall be a model.
  fileprivate init(_ error: BundleError, path: String) {
    switch error {
    case .file(let error):
      self.init(.unreadable, path: path, wanted: "a bundle", found: error.reason)
    case .unknownVersion(_, let version):
      self.init(
        .unsupported, path: path, wanted: "a bundle of version \(Bundle.version)",
        found: "version \(version)",
        advice: "pack the model again, or use the program that packed it")
    case .truncated(_, let wanted, let found):
      self.init(
        .truncated, path: path, wanted: "a bundle of \(wanted) bytes", found: "\(found)",
        advice: "copy the bundle again, or pack the model again")
    case .unknownCodec(_, let id):
      self.init(
        .unsupported, path: path, wanted: "codecs that this program knows", found: "codec \(id)",
        advice: "use the program that packed it")
    default:
      self.init(
        .malformed, path: path, wanted: "a bundle as 'pack' wrote it", found: "a damaged table",
        advice: "copy the bundle again, or pack the model again")
    }
  }
}
