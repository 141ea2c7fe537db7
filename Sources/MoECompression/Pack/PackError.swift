package import MoEFormats
package import MoEModel
import MoEPlatform
package import MoEStore

/// Why a model's experts could not be packed: one sentence that says what is wrong, where, and what
/// to do.
package enum PackError: Error, CustomStringConvertible {
  case format(FormatError)
  case model(ModelError)
  case bundle(BundleError)
  case store(StoreError)
  case outOfMemory(String)
  /// Parts that are not stored as products read them.
  case converted(path: String, tensor: String)
  case noExperts(path: String)
  /// A model that is in a bundle shall be packed.
  case packedAlready(path: String)
  /// A model in another format shall be kept or written as a whole.
  case notGGUF(path: String)
  /// Experts are not in the form that the model has them in.
  case lossy(path: String, layer: Int)
  /// What shall be written is there.
  case exists(path: String)
  /// The caller wanted unpacking to end.
  case stopped
  /// A copy in fewer bits could not be made.
  case quantization(String)
  case noSuchLayers(wanted: ClosedRange<Int>, lastLayer: Int)
  case memoryTooSmall(wanted: Int, given: Int)
  /// The caller wanted it to end; what was done stays for the next time.
  case cancelled(partialPath: String)

  package var description: String {
    switch self {
    case .format(let error): error.description
    case .model(let error): error.description
    case .bundle(let error): error.description
    case .store(let error): error.description
    case .outOfMemory(let text), .quantization(let text): text
    case .converted(let path, let tensor):
      "\(path): tensor \(tensor) is in a form that is converted when it is read, which bundles do "
        + "not keep; pack a GGUF file of the model"
    case .noExperts(let path):
      "\(path): has no routed experts; only those are packed"
    case .packedAlready(let path):
      "\(path): is a bundle already; unpack it first, and pack the GGUF file"
    case .notGGUF(let path):
      "\(path): is no GGUF file, and a bundle has all of a model, or is unpacked, only of those; "
        + "the model's own files are what there is of it"
    case .lossy(let path, let layer):
      "\(path): has the experts of layer \(layer) in another format than the model, whose bytes it "
        + "cannot give back; keep the model's file, or make another bundle of it"
    case .exists(let path):
      "\(path): is there already; give another name, or --force to replace it"
    case .stopped: "interrupted; nothing was written"
    case .noSuchLayers(let wanted, let last):
      "layers \(wanted.lowerBound) to \(wanted.upperBound) have no experts; give layers from 0 to "
        + "\(last)"
    case .memoryTooSmall(let wanted, let given):
      "packing this model takes \(wanted >> 20) MiB of memory, but only \(given >> 20) are given; "
        + "give at least \((wanted >> 20) + 1)M"
    case .cancelled(let path):
      "interrupted; what is done is in \(path), and the same command goes on from there"
    }
  }

  init(_ error: FileError) { self = .bundle(.file(error)) }
}
