package import MoECore
private import MoEPlatform

/// A run of a model file's bytes inside a tensor that nobody ever wrote: a download into a
/// preallocated file that stopped. It reads as zeros, which are weights like any others.
public struct HoleInTensor: Hashable, Sendable {
  public let path: String
  public let tensor: String
  /// Of the file; inside the tensor.
  public let bytes: Range<Int>

  /// The first one of a model; nil where there is none or the file systems do not tell. Takes a few
  /// system calls, and a moment more for files of many holes.
  package static func first(
    of tensors: [TensorDescriptor], inFilesAt paths: [String]
  ) throws(EngineError) -> HoleInTensor? {
    for (index, path) in paths.enumerated() {
      let file: InputFile
      do throws(FileError) {
        file = try InputFile(path)
      } catch {
        throw .store("\(error); make sure that the file can be read")
      }
      let inFile = tensors.filter { $0.extent.fileIndex == index && $0.extent.byteCount > 0 }
        .sorted { $0.extent.offset < $1.extent.offset }
      if let hole = first(of: inFile, in: file) { return hole }
    }
    return nil
  }

  /// - Parameter tensors: Those of this file, in the order of their bytes.
  private static func first(
    of tensors: [TensorDescriptor], in file: InputFile
  ) -> HoleInTensor? {
    var (next, found): (Int, HoleInTensor?) = (0, nil)
    file.forEachHole { hole in
      while next < tensors.count, tensors[next].extent.bytes.upperBound <= hole.lowerBound {
        next += 1
      }
      guard next < tensors.count else { return false }
      let bytes = tensors[next].extent.bytes.clamped(to: hole)
      // A hole between tensors does no harm.
      guard !bytes.isEmpty else { return true }
      found = HoleInTensor(path: file.path, tensor: tensors[next].name, bytes: bytes)
      return false
    }
    return found
  }
}

extension HoleInTensor: CustomStringConvertible {
  public var description: String {
    "\(path): bytes \(bytes.lowerBound) to \(bytes.upperBound - 1) are a hole inside the tensor "
      + "\(tensor.quotedForMessage): the download is incomplete; fetch the file again"
  }
}

extension FileExtent {
  fileprivate var bytes: Range<Int> { offset..<offset + byteCount }
}
