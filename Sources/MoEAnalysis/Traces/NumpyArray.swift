/// An array of a `.npy` member (NumPy's format, versions 1 to 3), C order, little-endian.
struct NumpyArray {
  let shape: [Int]
  private let type: Substring
  private let elements: ArraySlice<UInt8>
  /// Elements that the shape asks for.
  private let count: Int

  /// Reads what the array is; its elements are read by `integers` and `floats`.
  init(_ contents: [UInt8]) throws(ZipArchive.Problem) {
    guard contents.count >= 12, contents[..<6].elementsEqual([0x93] + Array("NUMPY".utf8)) else {
      throw ZipArchive.Problem(text: "it is not a NumPy array")
    }
    let isShort = contents[6] == 1
    let first = isShort ? 10 : 12
    let headerCount = (8..<first).reversed().reduce(0) { $0 << 8 | Int(contents[$1]) }
    guard headerCount <= contents.count - first else {
      throw ZipArchive.Problem(text: "its header is longer than the array")
    }
    let start = first + headerCount
    let header = String(decoding: contents[first..<start], as: UTF8.self)
    guard let shapeText = header.firstMatch(of: /'shape': \(([0-9, ]*)\)/)?.1,
      let type = header.firstMatch(of: /'descr': '([<|>a-z0-9]*)'/)?.1,
      header.contains("'fortran_order': False")
    else {
      throw ZipArchive.Problem(text: "it is not a C-ordered array of numbers")
    }
    let shape = shapeText.split { ", ".contains($0) }.map { Int($0) }
    var count = 1
    for size in shape {
      let product = count.multipliedReportingOverflow(by: size ?? -1)
      guard let size, size >= 0, !product.overflow else {
        throw ZipArchive.Problem(text: "its shape (\(shapeText)) is impossible")
      }
      count = product.partialValue
    }
    self.shape = shape.compactMap { $0 }
    self.type = type
    elements = contents[start...]
    self.count = count
  }

  /// (element) in C order.
  func integers() throws(ZipArchive.Problem) -> [Int32] {
    switch type {
    case "<i2": return try numbers(2) { Int32(Int16(truncatingIfNeeded: $0)) }
    case "<i4": return try numbers(4) { Int32(truncatingIfNeeded: $0) }
    case "<u2", "|u1": return try numbers(type == "|u1" ? 1 : 2) { Int32($0) }
    default:
      throw ZipArchive.Problem(
        text: "it is not a C-ordered array of little-endian int16 or int32, but of '\(type)'")
    }
  }

  /// (element) in C order.
  func floats() throws(ZipArchive.Problem) -> [Float] {
    switch type {
    case "<f2":
      return try numbers(2) { Float(Float16(bitPattern: UInt16(truncatingIfNeeded: $0))) }
    case "<f4": return try numbers(4) { Float(bitPattern: $0) }
    default:
      throw ZipArchive.Problem(
        text: "it is not a C-ordered array of little-endian float16 or float32, but of '\(type)'")
    }
  }

  private func numbers<Number>(
    _ width: Int, _ number: (UInt32) -> Number
  ) throws(ZipArchive.Problem) -> [Number] {
    guard elements.count % width == 0, elements.count / width == count else {
      throw ZipArchive.Problem(text: "\(elements.count) bytes do not fill the shape \(shape)")
    }
    return stride(from: elements.startIndex, to: elements.endIndex, by: width).map { start in
      var bits: UInt32 = 0
      for offset in 0..<width { bits |= UInt32(elements[start + offset]) << (8 * offset) }
      return number(bits)
    }
  }
}

/// Bytes of a `.npy` member, as NumPy writes them.
enum NumpyWriter {
  /// - Parameters:
  ///   - type: NumPy's name of the element type, for example `<i2`.
  ///   - elements: In C order, little-endian.
  static func bytes(type: String, shape: [Int], elements: [UInt8]) -> [UInt8] {
    let sizes = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
    var header = "{'descr': '\(type)', 'fortran_order': False, 'shape': (\(sizes)), }"
    // The elements begin at a multiple of 64 bytes; 10 stand before the header.
    let padding = 63 - (10 + header.utf8.count) % 64
    header += String(repeating: " ", count: padding) + "\n"
    var bytes: [UInt8] = [0x93] + Array("NUMPY".utf8) + [1, 0]
    bytes.append(littleEndian: UInt16(header.utf8.count))
    return bytes + Array(header.utf8) + elements
  }
}

extension [UInt8] {
  mutating func append(littleEndian value: some FixedWidthInteger) {
    for shift in stride(from: 0, to: value.bitWidth, by: 8) {
      append(UInt8(truncatingIfNeeded: value >> shift))
    }
  }
}
