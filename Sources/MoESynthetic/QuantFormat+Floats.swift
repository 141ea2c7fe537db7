import MoECore
package import MoEKernels

extension QuantFormat {
  /// Blocks to floats, by the format's own dequantisation, which the goldens check.
  package func floats(_ bytes: [UInt8]) -> [Float] {
    var bytes = bytes
    var out = [Float](repeating: 0, count: bytes.count / blockByteCount * blockElementCount)
    unsafe bytes.withUnsafeMutableBytes { source in
      unsafe out.withUnsafeMutableBufferPointer { target in
        guard let from = source.baseAddress, let to = target.baseAddress else { return }
        unsafe dequantize(
          ByteView(from, count: source.count), into: FloatView(to, count: target.count))
      }
    }
    return out
  }
}
