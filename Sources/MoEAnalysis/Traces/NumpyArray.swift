/// An integer array of a `.npy` member (NumPy's format, versions 1 to 3), C order.
struct NumpyArray {
  let shape: [Int]
  let values: [Int32]

  /// Reads little-endian int16 and int32 elements.
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
      let type = header.firstMatch(of: /'descr': '<i([24])'/)?.1,
      header.contains("'fortran_order': False")
    else {
      throw ZipArchive.Problem(
        text: "it is not a C-ordered array of little-endian int16 or int32")
    }
    let width = type == "2" ? 2 : 4
    let shape = shapeText.split { ", ".contains($0) }.map { Int($0) }
    var count = 1
    for size in shape {
      let product = count.multipliedReportingOverflow(by: size ?? -1)
      guard let size, size >= 0, !product.overflow else {
        throw ZipArchive.Problem(text: "its shape (\(shapeText)) is impossible")
      }
      count = product.partialValue
    }
    guard (contents.count - start) % width == 0, (contents.count - start) / width == count else {
      throw ZipArchive.Problem(
        text: "\(contents.count - start) bytes do not fill the shape (\(shapeText))")
    }
    self.shape = shape.compactMap { $0 }
    values = (0..<count).map { index in
      let offset = start + index * width
      if width == 2 {
        return Int32(
          Int16(truncatingIfNeeded: Int(contents[offset]) | Int(contents[offset + 1]) << 8))
      }
      return Int32(
        truncatingIfNeeded: (0..<4).reversed().reduce(0) { $0 << 8 | Int(contents[offset + $1]) })
    }
  }
}
