import MoECore
import MoEExperts
import MoEKernels
import MoEModel
import MoEStore
private import MoEPlatform

/// One kind of product: matrices of one format and shape.
struct ProbeShape: Codable, Hashable {
  /// The format's number in GGUF files, or in bundles.
  var format: UInt32
  var rowCount: Int
  var columnCount: Int
  /// An expert's matrix: several are computed side by side in decoding.
  var isExpert: Bool
}

/// What a probe is to measure, and on what: two requests that are equal have equal results, as far
/// as a machine repeats itself. The key of the cache.
struct ProbeRequest: Codable, Equatable {
  /// Counts up with every change of what is measured or how.
  var version = 9
  var machine: MachineProfile
  var threadCount: Int
  /// The file system's device that the model's first file is on.
  var device: UInt64
  var store: String
  var inputDepth: Int
  /// Without repetitions, in a fixed order.
  var shapes: [ProbeShape]
  /// Bytes of one expert, by layer: what the disk is asked for.
  var expertByteCounts: [Int]
  /// What they are coded by, in a bundle; empty without one.
  var codecs: [String]
  var expertsPerToken: Int
  /// Of the layers that see the whole past; 0 where none looks back.
  var headCount: Int
  var keyValueHeadCount: Int
  var headDimension: Int
  var valueDimension: Int
  var valuesLieInKeys: Bool
  var kvType: String
  /// Positions that attention is measured over.
  var positionCount: Int
  /// The largest chunk that whole layers are measured with.
  var chunkTokenCount: Int
  var vocabularySize: Int
  /// Weights are read from a buffer of this size, so that they come from memory.
  var bufferByteCount: Int

  init(_ run: PreparedRun) {
    let tensors = run.header.tensors
    let attention = run.header.description.longestAttention
    machine = .current()
    threadCount = run.threadCount
    device = FileStatus(path: run.header.files[0].path)?.identity.device ?? 0
    store = run.options.store.rawValue
    inputDepth = run.options.inputDepth
    var shapes = Set(Self.shapes(of: tensors))
    if let target = tensors.fewerBitsFormat {
      shapes.formUnion(Self.shapes(of: tensors.limited(to: target)))
    }
    self.shapes = shapes.sorted {
      ($0.format, $0.rowCount, $0.columnCount, $0.isExpert ? 1 : 0)
        < ($1.format, $1.rowCount, $1.columnCount, $1.isExpert ? 1 : 0)
    }
    expertByteCounts = tensors.experts.layers.map(\.storedByteCountPerExpert)
    codecs = run.header.bundle.map { BundleSummary($0, of: tensors.experts).codecs } ?? []
    expertsPerToken = tensors.experts.expertsPerTokenMax
    headCount = attention?.queryHeadCount ?? 0
    keyValueHeadCount = attention?.keyValueHeadCount ?? 0
    headDimension = attention?.keyDimension ?? 0
    valueDimension = attention?.valueDimension ?? 0
    valuesLieInKeys = attention?.valuesLieInKeys ?? false
    kvType = run.options.kvCacheType.rawValue
    positionCount = min(run.plan.contextLength, 1024)
    chunkTokenCount = min(run.plan.chunkTokenCount, 64, run.plan.contextLength)
    vocabularySize = run.header.description.vocabularySize
    bufferByteCount = Self.bufferByteCount(run, machine: machine)
  }

  /// The products of one decoding step.
  private static func shapes(of tensors: ModelTensors) -> [ProbeShape] {
    let dense = tensors.layers.flatMap(\.matrices) + [tensors.output].compactMap(\.self)
    return dense.map { ProbeShape($0) }
      + tensors.experts.layers.flatMap(\.productShapes)
  }

  /// Four times the last cache, at most 256 MiB, but no more than the model itself: what fits in a
  /// cache stays there in a run too. Halved until it is a fourth of the budget, as long as every
  /// matrix of a layer fits.
  private static func bufferByteCount(_ run: PreparedRun, machine: MachineProfile) -> Int {
    let tensors = run.header.tensors
    let matrices =
      tensors.layers.flatMap(\.matrices).map(\.byteCount)
      + tensors.experts.layers.flatMap { layer in layer.parts.map(\.slotByteCount) }
    let floor = 2 * ((matrices.max() ?? 0) + ProbeMemory.alignment)
    let cacheByteCount = min(4 * machine.lastCacheByteCount, 256 << 20)
    var size = min(max(cacheByteCount, 64 << 20), run.header.byteCount)
    while size > max(floor, run.plan.budgetByteCount / 4) { size /= 2 }
    return max(size, floor)
  }
}

extension ProbeShape {
  init(_ tensor: DenseTensor) {
    self.init(
      format: tensor.format.ggmlType, rowCount: tensor.rowCount, columnCount: tensor.columnCount,
      isExpert: false)
  }

  init(_ part: ExpertPart, in format: QuantFormat) {
    self.init(
      format: format.ggmlType, rowCount: part.rowCount, columnCount: part.columnCount,
      isExpert: true)
  }
}

extension ExpertLayer {
  /// The products of an expert: where experts differ in format, in that of most of them.
  var productShapes: [ProbeShape] {
    parts.indices.filter { parts[$0].role.isMatrix }.map { number in
      let part = parts[number]
      let others = (0..<expertCount).map { slot(ofPart: number, expert: $0).format }
        .filter { $0 != part.format }
      let format = others.count * 2 > expertCount ? others[0] : part.format
      return ProbeShape(part, in: format)
    }
  }
}

extension ExpertLayout {
  /// Of matrices that stay coded in memory: by their columns, the most rows.
  var codedRowCounts: [Int: Int] {
    var counts: [Int: Int] = [:]
    for layer in layers where layer.records != nil {
      for (number, part) in layer.parts.enumerated() where part.role.isMatrix {
        let isCoded = (0..<layer.expertCount).contains {
          layer.slot(ofPart: number, expert: $0).format != part.format
        }
        if isCoded { counts[part.columnCount] = max(counts[part.columnCount] ?? 0, part.rowCount) }
      }
    }
    return counts
  }
}
