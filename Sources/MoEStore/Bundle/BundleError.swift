package import MoECore
package import MoEPlatform

/// Why a bundle cannot be read or written: what is wrong, where, and what to do.
package enum BundleError: Error, Equatable, Sendable {
  case file(FileError)
  case notABundle(path: String)
  /// Made by a newer program.
  case unknownVersion(path: String, UInt32)
  /// Its table says what cannot be, or has another checksum.
  case damagedTable(path: String)
  case truncated(path: String, wanted: Int, found: Int)
  case unknownCodec(path: String, id: UInt32)
  /// It was packed from a model with other files.
  case otherModel(path: String, model: String, difference: String)
  /// The bytes of an expert are not those that were packed.
  case damagedExpert(path: String, layer: Int, expert: Int)
  /// Other bytes of the model that it keeps are not those that were packed.
  case damagedRange(path: String, FileExtent)
  /// Another program is writing the same file.
  case inUse(path: String)
}

extension BundleError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .file(let error): "\(error)"
    case .notABundle(let path):
      "\(path): is no bundle of experts; give a file that 'pack' wrote"
    case .unknownVersion(let path, let version):
      "\(path): is a bundle of version \(version), which this program does not know; pack the "
        + "model again, or use the program that packed it"
    case .damagedTable(let path):
      "\(path): the bundle's table is damaged; pack the model again"
    case .truncated(let path, let wanted, let found):
      "\(path): the bundle has \(found) bytes, but should have \(wanted); pack the model again"
    case .unknownCodec(let path, let id):
      "\(path): uses codec \(id), which this program does not know; pack the model again"
    case .otherModel(let path, let model, let difference):
      "\(path): was packed from another model than \(model): \(difference); pack this one"
    case .damagedExpert(let path, let layer, let expert):
      "\(path): expert \(expert) of layer \(layer) is damaged: its bytes are not those that were "
        + "packed; pack the model again"
    case .damagedRange(let path, let extent):
      "\(path): bytes \(extent.offset) to \(extent.offset + extent.byteCount - 1) are damaged: "
        + "they are not those of the model that was packed; pack the model again"
    case .inUse(let path):
      "\(path): another program is writing this file; wait for it, or give another name"
    }
  }
}
