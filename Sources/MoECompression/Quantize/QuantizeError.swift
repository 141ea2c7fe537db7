package import MoECore
package import MoEFormats
package import MoEModel
package import MoEPlatform

/// Why a model could not be quantised: one sentence that says what is wrong, where, and what to do.
package enum QuantizeError: Error, CustomStringConvertible {
  case format(FormatError)
  case model(ModelError)
  case file(FileError)
  case outOfMemory(OutOfMemory)
  /// - Parameter place: The tensor, or nothing.
  case weights(place: String, EncodingError)
  /// A tensor whose elements cannot be read as numbers.
  case unreadableFormat(tensor: String, format: String)
  /// Another program writes the same file.
  case inUse(path: String)
  /// What is to be written is what is read.
  case sameFile(path: String)
  /// The model was changed while it was read.
  case changed(path: String, FileChange)
  case calibration(CalibrationError)
  case pruning(PruningError)
  /// Bytes of the file, and of the smallest that the formats here make of the model.
  case sizeTooSmall(wanted: Int, least: Int)
  /// The caller wanted it to end; what was done stays for the next time.
  case cancelled(partialPath: String)

  package var description: String {
    switch self {
    case .format(let error): error.description
    case .model(let error): error.description
    case .file(let error): error.description
    case .outOfMemory(let error): error.description
    case .weights(let place, let error):
      place.isEmpty ? error.description : "\(place): \(error)"
    case .unreadableFormat(let tensor, let format):
      "tensor \(tensor) is in the format \(format), which is not read here; leave it as it is"
    case .inUse(let path):
      "\(path): another program writes this file; wait for it, or give another name"
    case .sameFile(let path):
      "\(path): is the model that is read; give another name for the new one"
    case .changed(let path, let change):
      "\(path): changed while it was read (\(change.text)); start again with a file that stays as "
        + "it is"
    case .calibration(let error): error.description
    case .pruning(let error): error.description
    case .sizeTooSmall(let wanted, let least):
      "no formats make the model fit \(ByteSize(wanted)); give a size of at least "
        + "\(ByteSize(least)), or leave experts out"
    case .cancelled(let path):
      "interrupted; what is done is in \(path), and the same command goes on from there"
    }
  }
}

/// Does something with files.
func withFileErrors<Value>(
  _ body: () throws(FileError) -> Value
) throws(QuantizeError) -> Value {
  do throws(FileError) {
    return try body()
  } catch {
    throw .file(error)
  }
}

/// Does something that takes memory.
func withMemoryErrors<Value: ~Copyable>(
  _ body: () throws(OutOfMemory) -> Value
) throws(QuantizeError) -> Value {
  do throws(OutOfMemory) {
    return try body()
  } catch {
    throw .outOfMemory(error)
  }
}
