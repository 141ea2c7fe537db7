internal import MoECore

extension GGUFHeader {
  /// Length of a name, one byte of name, dimension count, one dimension, format, offset.
  static let tensorByteCountMin = 8 + 1 + 4 + 8 + 4 + 8

  /// The tensor table. Offsets in it count from the first multiple of `alignment` behind it.
  static func readTensors(
    _ reader: inout ByteReader, count: Int, alignment: Int
  ) throws(FormatError) -> [TensorDescriptor] {
    var tensors: [TensorDescriptor] = []
    var names: Set<String> = []
    tensors.reserveCapacity(count)
    names.reserveCapacity(count)
    for index in 0..<count {
      reader.subject = .tensorNumber(index)
      let tensor = try readTensor(&reader, alignment: alignment)
      guard names.insert(tensor.name).inserted else {
        throw reader.failure(.malformed, wanted: "each tensor once", found: "it twice")
      }
      tensors.append(tensor)
    }
    // Neither sum can overflow: a header has at most 128 MiB, an alignment 2 GiB.
    let dataStart = (reader.position + alignment - 1) / alignment * alignment
    try place(&tensors, dataStart: dataStart, &reader)
    try checkDisjoint(tensors, &reader)
    reader.subject = .header
    return tensors
  }

  /// One entry; its extent's offset still counts from the start of the tensor data.
  private static func readTensor(
    _ reader: inout ByteReader, alignment: Int
  ) throws(FormatError) -> TensorDescriptor {
    let name = try readName(&reader)
    reader.subject = .tensor(name)
    let shape = try readShape(&reader)
    let formatID = try reader.integer(UInt32.self)
    guard let type = GGMLType(id: formatID) else {
      throw reader.failure(
        .unsupported, wanted: "an element format of ggml's",
        found: ForeignFormat.describe(formatID),
        advice: "take a file of the model in a format that ggml has, such as Q4_K_M")
    }
    guard let byteCount = type.byteCount(shape: shape) else {
      throw reader.failure(
        .malformed, wanted: "rows in whole blocks of \(type.blockElementCount) \(type) elements",
        found: "the shape \(shape)")
    }
    let offset = try reader.integer(UInt64.self)
    guard let offset = Int(exactly: offset), offset % alignment == 0 else {
      throw reader.failure(
        .malformed, wanted: "an offset that is a multiple of \(alignment)", found: "\(offset)")
    }
    let extent = FileExtent(fileIndex: 0, offset: offset, byteCount: byteCount)
    return TensorDescriptor(
      name: name, formatID: formatID, formatName: type.name, shape: shape, extent: extent)
  }

  private static func readShape(_ reader: inout ByteReader) throws(FormatError) -> [Int] {
    let dimensionCount = try reader.integer(UInt32.self)
    guard (1...4).contains(dimensionCount) else {
      throw reader.failure(.malformed, wanted: "1 to 4 dimensions", found: "\(dimensionCount)")
    }
    var shape: [Int] = []
    shape.reserveCapacity(Int(dimensionCount))
    var elementCount = 1
    for _ in 0..<dimensionCount {
      let dimension = try reader.integer(UInt64.self)
      let extent = Int(exactly: dimension) ?? 0
      let (product, overflow) = elementCount.multipliedReportingOverflow(by: extent)
      guard extent > 0, !overflow else {
        throw reader.failure(
          .malformed, wanted: "dimensions above zero with a product below 2^63",
          found: "\(shape) and \(dimension)")
      }
      elementCount = product
      shape.append(extent)
    }
    // Some writers fill every shape up to four dimensions; outer ones of extent 1 say nothing.
    while shape.count > 1, shape.last == 1 { shape.removeLast() }
    return shape
  }

  /// Makes offsets count from the start of the file, and checks that the file holds the extents.
  private static func place(
    _ tensors: inout [TensorDescriptor], dataStart: Int, _ reader: inout ByteReader
  ) throws(FormatError) {
    for index in tensors.indices {
      let extent = tensors[index].extent
      let (offset, overflow) = extent.offset.addingReportingOverflow(dataStart)
      guard !overflow, offset <= reader.fileByteCount,
        extent.byteCount <= reader.fileByteCount - offset
      else {
        reader.subject = .tensor(tensors[index].name)
        throw reader.failure(
          .truncated, wanted: "\(extent.byteCount) bytes at \(extent.offset) behind the header",
          found: "a file of \(reader.fileByteCount) bytes with a header of \(dataStart)")
      }
      tensors[index].extent.offset = offset
    }
  }

  private static func checkDisjoint(
    _ tensors: [TensorDescriptor], _ reader: inout ByteReader
  ) throws(FormatError) {
    let order = tensors.indices.sorted { tensors[$0].extent.offset < tensors[$1].extent.offset }
    for (previous, next) in zip(order, order.dropFirst()) {
      let (first, second) = (tensors[previous], tensors[next])
      guard first.extent.offset + first.extent.byteCount <= second.extent.offset else {
        reader.subject = .tensor(second.name)
        throw reader.failure(
          .malformed, wanted: "bytes of its own",
          found: "an overlap with \(first.name.quotedForMessage)")
      }
    }
  }
}
