import MoECore
import MoEFormats
import MoEKernels
import MoEModel
private import MoEPlatform
import MoEStore

/// A weight that is not a number, or has no finite value: what a download or a disk did to a file,
/// or a conversion to a model. All that is computed with it is no number either.
public struct DamagedWeight: Hashable, Sendable {
  public let path: String
  public let tensor: String
  /// Nil where the tensor is not that of stacked experts.
  public let expert: Int?
  /// Of the first block in the file that has such a weight.
  public let offset: Int

  /// Bytes that are looked at together.
  private static let chunkByteCount = 64 << 10

  /// The first of a model; nil where all weights are numbers. Reads all of the files.
  package static func first(inModelAt path: String) throws(EngineError) -> DamagedWeight? {
    try all(inModelAt: path, countMax: 1).first
  }

  /// One of each tensor, of stacked experts one of each expert, at most `countMax` in all. Tensors
  /// of formats without kernels are left out.
  package static func all(
    inModelAt path: String, countMax: Int
  ) throws(EngineError) -> [DamagedWeight] {
    let file: any StoredModel
    do {
      file = try FormatRegistry.open(path)
    } catch {
      throw .format(error)
    }
    do {
      let search = try Search(countMax: countMax)
      for (index, stored) in file.files.enumerated() {
        let input = try InputFile(stored.path)
        for tensor in file.tensors where tensor.extent.fileIndex == index {
          try search.look(at: tensor, in: input)
        }
      }
      return search.found
    } catch let error as OutOfMemory {
      throw .outOfMemory("the weights cannot be checked: \(error)")
    } catch {
      throw .store("\(error); make sure that the file can be read")
    }
  }

  /// Looks at weights block by block, with memory for a few of them.
  private final class Search {
    let countMax: Int
    var found: [DamagedWeight] = []
    private let bytes: AlignedBuffer
    private let floats: AlignedBuffer

    init(countMax: Int) throws(OutOfMemory) {
      self.countMax = countMax
      bytes = try AlignedBuffer(byteCount: DamagedWeight.chunkByteCount)
      let weightCountMax = QuantFormat.all.reduce(0) { most, format in
        let blockCount = DamagedWeight.chunkByteCount / format.blockByteCount
        return max(most, blockCount * format.blockElementCount)
      }
      floats = try AlignedBuffer(byteCount: weightCountMax * 4)
    }

    func look(at tensor: TensorDescriptor, in file: InputFile) throws(FileError) {
      // What is converted when it is loaded cannot be looked at where it lies.
      guard tensor.conversion == nil, let format = QuantFormat(ggmlType: tensor.formatID)
      else { return }
      // A chunk has whole blocks, and weights of one expert alone.
      let stack = DamagedWeight.stack(tensor, format)
      let part = stack ?? tensor.extent.byteCount
      let unit = DamagedWeight.chunkByteCount / format.blockByteCount * format.blockByteCount
      var start = 0
      while start < tensor.extent.byteCount && found.count < countMax {
        let end = min(start + unit, (start / part + 1) * part, tensor.extent.byteCount)
        let offset = tensor.extent.offset + start
        if let block = try damagedBlock(format, at: offset, count: end - start, in: file) {
          found.append(
            DamagedWeight(
              path: file.path, tensor: tensor.name, expert: stack.map { start / $0 },
              offset: offset + block * format.blockByteCount))
          start = (start / part + 1) * part
        } else {
          start = end
        }
      }
    }

    /// The number of the first block with a weight that is not finite.
    private func damagedBlock(
      _ format: QuantFormat, at offset: Int, count: Int, in file: InputFile
    ) throws(FileError) -> Int? {
      let memory = bytes.bytes(count: count)
      let done = unsafe try file.read(
        at: offset, into: UnsafeMutableRawBufferPointer(start: memory.pointer, count: count))
      let blockCount = done / format.blockByteCount
      let values = floats.floats(count: blockCount * format.blockElementCount)
      format.dequantize(memory, into: values)
      for index in 0..<values.count where !values[index].isFinite {
        return index / format.blockElementCount
      }
      return nil
    }
  }

  /// Bytes of one expert in a tensor of stacked experts; nil where the tensor is none, or its
  /// experts share blocks.
  private static func stack(_ tensor: TensorDescriptor, _ format: QuantFormat) -> Int? {
    guard tensor.name.contains("_exps."), let last = tensor.shape.last(where: { $0 > 1 }),
      tensor.shape.count(where: { $0 > 1 }) > 1, tensor.extent.byteCount % last == 0,
      tensor.extent.byteCount / last % format.blockByteCount == 0
    else { return nil }
    return tensor.extent.byteCount / last
  }
}

extension DamagedWeight {
  /// An element of a tensor of numbers; of several, it is an expert's.
  init(_ tensor: DenseTensor, element: Int, of files: [StoreFile]) {
    path = files[tensor.extent.fileIndex].path
    self.tensor = tensor.name
    expert = tensor.columnCount > 1 ? element : nil
    offset = tensor.extent.offset + element * tensor.format.blockByteCount
  }
}

extension DamagedWeight: CustomStringConvertible {
  public var description: String {
    let place = expert.map { ", expert \($0)" } ?? ""
    return "\(path): tensor \(tensor.quotedForMessage)\(place): a weight in the block at byte "
      + "\(offset) is not a finite number; the file is damaged, fetch it again"
  }
}
