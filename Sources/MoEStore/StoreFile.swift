package import MoEPlatform

/// One file of a model, and what it was when its header was read.
package struct StoreFile: Hashable, Sendable {
  package var path: String
  package var byteCount: Int
  /// Nil where nobody has looked; then the size alone is compared.
  package var identity: FileIdentity?

  package init(path: String, byteCount: Int, identity: FileIdentity? = nil) {
    self.path = path
    self.byteCount = byteCount
    self.identity = identity
  }
}

/// A model's files, held open for as long as anything reads from them.
///
/// Holding descriptors makes it harmless when a path is renamed, replaced or unlinked.
package final class OpenFiles {
  package let files: [StoreFile]
  let descriptors: [Int32]
  private let inputs: [InputFile]

  /// Opens every file for reading and makes sure that it is the one whose header was read: extents
  /// of another file would be read without any error.
  package init(_ files: [StoreFile]) throws(StoreError) {
    var inputs: [InputFile] = []
    for file in files {
      do throws(FileError) {
        inputs.append(try InputFile(file.path))
      } catch {
        throw StoreError(opening: error)
      }
      let found = inputs[inputs.count - 1].identity
      guard found.byteCount == file.byteCount else {
        throw .wrongFileSize(path: file.path, wanted: file.byteCount, found: found.byteCount)
      }
      if let change = file.identity?.change(to: found) {
        throw .changedSinceItsHeader(path: file.path, change)
      }
    }
    self.files = files
    self.inputs = inputs
    descriptors = inputs.map(\.descriptor)
  }

  func identity(of index: Int) throws(StoreError) -> FileIdentity {
    do throws(FileError) {
      return try inputs[index].identityNow()
    } catch {
      throw StoreError(opening: error)
    }
  }

  func input(_ index: Int) -> InputFile { inputs[index] }
}

extension StoreError {
  fileprivate init(opening error: FileError) {
    switch error {
    case .system(let path, let code): self = .cannotOpen(path: path, code: code)
    case .notRegular(let path, let kind): self = .notARegularFile(path: path, kind: kind)
    case .tooLarge(let path, _), .impossibleName(let path): self = .impossibleName(path: path)
    }
  }
}
