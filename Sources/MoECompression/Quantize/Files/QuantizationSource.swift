package import MoECore
package import MoEExperts
package import MoEFormats
package import MoEKernels
package import MoEModel
import MoEPlatform

/// A GGUF model that is to be written anew, in other formats or with fewer experts.
package final class QuantizationSource {
  package let file: GGUFFile
  package let description: ModelDescription
  package let experts: ExpertLayout
  let table: GGUFEntryTable
  private let inputs: [InputFile]

  /// Reads the headers, of all shards of a split model.
  package init(modelAt path: String) throws(QuantizeError) {
    do throws(FormatError) {
      file = try GGUFFile(path: path)
      try file.requireModel()
      table = try GGUFEntryTable(path: file.files[0].path)
    } catch {
      throw .format(error)
    }
    do throws(ModelError) {
      description = try ArchitectureRegistry.describe(metadata: file, tensors: file.tensors)
      experts = try ModelTensors(
        description: description, tensors: file.tensors, file: file.sourceName
      ).experts
    } catch {
      throw .model(error)
    }
    var inputs: [InputFile] = []
    do throws(FileError) {
      for shard in file.files { inputs.append(try InputFile(shard.path)) }
    } catch {
      throw .file(error)
    }
    self.inputs = inputs
    try checkUnchanged()
  }

  /// Size of all its files.
  package var byteCount: Int { file.files.reduce(0) { $0 + $1.byteCount } }

  /// Throws where the model is not what it was when its header was read.
  func checkUnchanged() throws(QuantizeError) {
    for (shard, input) in zip(file.files, inputs) {
      let now: FileIdentity
      do throws(FileError) {
        now = try input.identityNow()
      } catch {
        throw .file(error)
      }
      if let change = shard.identity.change(to: now) {
        throw .changed(path: shard.path, change)
      }
    }
  }

  /// Throws where a path leads to one of the model's files.
  func checkIsOther(_ path: String) throws(QuantizeError) {
    guard let found = FileStatus(path: path)?.identity else { return }
    for shard in file.files
    where shard.identity.inode == found.inode && shard.identity.device == found.device {
      throw .sameFile(path: path)
    }
  }

  /// Bytes of the header of the first shard.
  func headerBytes(_ range: Range<Int>) throws(QuantizeError) -> [UInt8] {
    try bytes(FileExtent(fileIndex: 0, offset: range.lowerBound, byteCount: range.count))
  }

  /// What an extent holds; the kernel's copies are dropped.
  func bytes(_ extent: FileExtent) throws(QuantizeError) -> [UInt8] {
    let input = inputs[extent.fileIndex]
    let bytes: [UInt8]
    do throws(FileError) {
      bytes = try input.bytes(at: extent.offset, count: extent.byteCount)
    } catch {
      throw .file(error)
    }
    input.dropFromPageCache(extent.offset..<extent.offset + extent.byteCount)
    guard bytes.count == extent.byteCount else {
      throw .changed(
        path: input.path,
        .resized(from: input.identity.byteCount, to: extent.offset + bytes.count))
    }
    return bytes
  }

  /// Widens an expert's parts to floats.
  package func read(
    _ expert: ExpertID, into floats: ExpertFloats, team: WorkerTeam
  ) throws(QuantizeError) {
    let layer = experts.layers[expert.layer]
    let sizes = layer.parts.map { ($0.slotByteCount + 63) / 64 * 64 }
    let buffer: AlignedBuffer
    do throws(OutOfMemory) {
      buffer = try AlignedBuffer(byteCount: sizes.reduce(0, +))
    } catch {
      throw .outOfMemory(error)
    }
    var views: [ByteView] = []
    var end = 0
    for (part, size) in zip(layer.parts, sizes) {
      let view = buffer.bytes(atOffset: end, count: part.slotByteCount)
      view.copy(from: try bytes(part.extent(ofExpert: expert.index)))
      views.append(view)
      end += size
    }
    floats.fill(views, formats: layer.parts.map(\.format), team: team)
  }
}
