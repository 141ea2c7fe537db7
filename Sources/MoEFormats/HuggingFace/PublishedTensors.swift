import MoECore

/// The tensors of a published model as a GGUF file of it would have them: what is stored in
/// several tensors as one, with what must be done to make it that.
struct PublishedTensors {
  private typealias Tensor = SafeTensorsHeader.Tensor

  private let folder: SafeTensorsFolder
  private let configuration: HuggingFaceConfiguration
  /// By name: the number in the folder's list.
  private let numbers: [String: Int]

  init(_ folder: SafeTensorsFolder, _ configuration: HuggingFaceConfiguration) {
    self.folder = folder
    self.configuration = configuration
    numbers = Dictionary(
      uniqueKeysWithValues: folder.tensors.enumerated().map { ($1.tensor.name, $0) })
  }

  /// What stands behind a tensor's name where its quants are apart from their scales (gpt-oss), and
  /// behind that of a matrix's scales (DeepSeek).
  private static let (quants, scales, inverse) = ("_blocks", "_scales", "_scale_inv")
  private static let (f8Block, mxfp4Block) = (128, 32)

  func descriptors() throws(FormatError) -> [TensorDescriptor] {
    let family = configuration.family
    let predicting = configuration.predictingLayers.map { "model.layers.\($0)." }
    var descriptors: [TensorDescriptor] = []
    for number in folder.tensors.indices {
      let name = folder.tensors[number].tensor.name
      if family.leavesOut(name) || predicting.contains(where: name.hasPrefix) || isScales(name) {
        continue
      }
      if configuration.tiesEmbeddings && name == "lm_head.weight" { continue }
      descriptors.append(try descriptor(number))
    }
    return descriptors
  }

  /// Whether a tensor goes with another one.
  private func isScales(_ name: String) -> Bool {
    if name.hasSuffix(Self.inverse) {
      return numbers[String(name.dropLast(Self.inverse.count))] != nil
    }
    return name.hasSuffix(Self.scales)
      && numbers[name.dropLast(Self.scales.count) + Self.quants] != nil
  }

  private func descriptor(_ number: Int) throws(FormatError) -> TensorDescriptor {
    let tensor = folder.tensors[number].tensor
    if tensor.name.hasSuffix(Self.quants) { return try mxfp4(number) }
    if tensor.elementType == .f8E4M3 { return try f8(number) }
    guard let type = tensor.elementType.ggmlType else {
      throw failure(
        number, .unsupported, "elements of the type BF16, F16 or F32, or MXFP4 or FP8 with scales",
        tensor.elementType.rawValue)
    }
    let known = configuration.family.known(tensor.name)
    var shape = Array(tensor.shape.reversed())
    var (format, conversion): (GGMLType, StoredConversion?) = (type, nil)
    let takesTurns = known?.row.takesTurns ?? false
    if known?.row.hasColumns == true {
      guard shape.count == 3, [2, 4].contains(type.blockByteCount) else {
        throw failure(number, .malformed, "experts, columns and rows", "\(tensor.shape)")
      }
      shape.swapAt(0, 1)
      conversion = StoredConversion(.columns, takesTurns: takesTurns)
    } else if known?.stored.hasSuffix("_exps.bias") == true,
      takesTurns || type != .f32 || !tensor.offset.isMultiple(of: 4)
    {
      // Floats are read at multiples of their size, which the format does not promise.
      guard [.f32, .f16, .bf16].contains(type) else {
        throw failure(number, .unsupported, "biases in BF16, F16 or F32", type.name)
      }
      (format, conversion) = (
        .f32, StoredConversion(.floats(formatID: type.id), takesTurns: takesTurns)
      )
    }
    return try make(number, known?.stored, format, type.name, shape, conversion)
  }

  /// Experts in MXFP4: quants (expert, row, block, 16) and scales (expert, row, block).
  private func mxfp4(_ number: Int) throws(FormatError) -> TensorDescriptor {
    let tensor = folder.tensors[number].tensor
    let name = String(tensor.name.dropLast(Self.quants.count))
    let type = GGMLType.mxfp4
    guard tensor.elementType == .u8, tensor.shape.count == 4,
      tensor.shape[3] == Self.mxfp4Block / 2
    else {
      throw failure(
        number, .malformed, "bytes in blocks of \(Self.mxfp4Block / 2)",
        "\(tensor.elementType.rawValue) \(tensor.shape)")
    }
    let scales = try scales(
      of: number, named: name + Self.scales, [.u8, .f8E8M0], Array(tensor.shape[..<3]))
    let known = configuration.family.known(name)
    return try make(
      number, known?.stored ?? name, type, type.name,
      [tensor.shape[2] * Self.mxfp4Block, tensor.shape[1], tensor.shape[0]],
      StoredConversion(.mxfp4, takesTurns: known?.row.takesTurns ?? false), scales)
  }

  /// A matrix of 8-bit floats, with a scale for each block of it.
  private func f8(_ number: Int) throws(FormatError) -> TensorDescriptor {
    let tensor = folder.tensors[number].tensor
    guard tensor.shape.count == 2 else {
      throw failure(number, .unsupported, "a matrix where elements are F8_E4M3", "\(tensor.shape)")
    }
    let blocks = tensor.shape.map { ($0 + Self.f8Block - 1) / Self.f8Block }
    let scales = try scales(of: number, named: tensor.name + Self.inverse, [.f32], blocks)
    return try make(
      number, configuration.family.known(tensor.name)?.stored, .bf16, tensor.elementType.rawValue,
      tensor.shape.reversed(), StoredConversion(.f8), scales)
  }

  private func scales(
    of number: Int, named name: String, _ types: [SafeTensorsType], _ shape: [Int]
  ) throws(FormatError) -> FileExtent {
    guard let own = numbers[name] else {
      throw failure(
        number, .malformed, "its scales, the tensor \(name.quotedForMessage)", "no such tensor")
    }
    let tensor = folder.tensors[own].tensor
    guard types.contains(tensor.elementType), tensor.shape == shape else {
      throw failure(
        own, .malformed, "\(types[0].rawValue) \(shape), as the weights are",
        "\(tensor.elementType.rawValue) \(tensor.shape)")
    }
    return extent(own)
  }

  private func extent(_ number: Int) -> FileExtent {
    let (fileIndex, tensor) = folder.tensors[number]
    return FileExtent(fileIndex: fileIndex, offset: tensor.offset, byteCount: tensor.byteCount)
  }

  /// - Parameter shape: Innermost first; extents of a single row or number are left out.
  private func make(
    _ number: Int, _ name: String?, _ type: GGMLType, _ formatName: String, _ shape: [Int],
    _ conversion: StoredConversion?, _ scales: FileExtent? = nil
  ) throws(FormatError) -> TensorDescriptor {
    let rowCount = shape.count > 1 ? shape[shape.count - 2] : 1
    guard conversion?.takesTurns != true || rowCount.isMultiple(of: 2) else {
      throw failure(number, .malformed, "rows of two halves in turn", "\(rowCount) rows")
    }
    var shape = shape
    while shape.count > 1, shape.last == 1 { shape.removeLast() }
    return TensorDescriptor(
      name: name ?? folder.tensors[number].tensor.name, formatID: type.id, formatName: formatName,
      shape: shape, extent: extent(number), conversion: conversion, scales: scales)
  }

  private func failure(
    _ number: Int, _ kind: FormatError.Kind, _ wanted: String, _ found: String
  ) -> FormatError {
    let (fileIndex, tensor) = folder.tensors[number]
    return FormatError(
      kind, path: folder.files[fileIndex].path, subject: "tensor \(tensor.name.quotedForMessage)",
      wanted: wanted, found: found,
      advice: kind == .unsupported ? "convert the model to GGUF" : nil)
  }
}
