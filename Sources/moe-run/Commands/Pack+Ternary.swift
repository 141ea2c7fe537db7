import MoECompression
import MoECore
import MoEKernels
import MoEReport
import MoERuntime
import MoEStore

/// `moe-run pack --quantize ternary`: a bundle of ternary experts in place of the model's.
extension Pack {
  func packTernary(_ path: String, _ cancellation: CancellationFlag) async throws {
    let source = try PackSource(modelAt: path)
    let threadCount = threads ?? ProcessorCount.current.count
    let quantizer = MatrixQuantizer(team: try WorkerTeam(workerCount: threadCount))
    if let note = quantizer.factorizer.note { StandardError.write("moe-run: note: \(note)\n") }
    let output = output ?? Self.ternaryPath(besides: source.files[0].path)
    let isCalibrated = quantization.method == .gptq && !dryRun
    let text = isCalibrated ? try calibrationText() : ""
    let rows =
      isCalibrated
      ? try await CalibrationRun(
        modelAt: path, memory: memory, threadCount: threadCount,
        tokenCountMax: quantization.calibrationTokens, folder: Self.folder(of: output)
      ).calibration(text).rows : nil
    let ternary = TernaryExperts(
      source, quantizer: quantizer, rows: rows,
      recipe: isCalibrated
        ? "gptq \(quantization.calibrationTokens) \(CRC32C.checksum(Array(text.utf8)))" : "rtn")
    let packer = try Packer(
      source, to: output, codec: CodecRegistry.entry(named: codec) ?? CodecRegistry.ternary,
      layers: layers, ternary: ternary, threadCount: threadCount,
      memoryByteCount: memory?.byteCount(of: source.byteCount(ofLayers: source.routedLayers)),
      cancellation: cancellation)
    let samples = try packer.samples()
    try StandardOutput.write(Self.sizes(samples, of: packer))
    if dryRun { return }
    try write(packer, expectedByteCount: Self.byteCount(samples, of: packer))
    try say(ternary.report)
  }

  /// Beside the model, but not under the name at which bundles are looked for: it changes answers.
  private static func ternaryPath(besides path: String) -> String {
    Bundle.path(besides: path).dropLast(Bundle.suffix.count) + "-ternary" + Bundle.suffix
  }

  /// About what the bundle will have.
  private static func byteCount(_ samples: [Int: PackSample], of packer: Packer) -> Int {
    packer.layers.reduce(0) { sum, layer in
      sum + Int(Double(packer.source.byteCount(ofLayers: [layer])) * (samples[layer]?.ratio ?? 1))
    }
  }

  private static func sizes(_ samples: [Int: PackSample], of packer: Packer) -> String {
    let plain = packer.source.byteCount(ofLayers: packer.layers)
    let coded = byteCount(samples, of: packer)
    let all = packer.layers.compactMap { samples[$0] }
    let bits = all.reduce(0.0) { $0 + $1.bitsPerWeight } / Double(max(1, all.count))
    return """
      experts   \(ByteSize(plain)) in \(packer.layers.count) layers
      code      \(packer.codec.name), about \(ByteSize(coded)), \(Decimals.text(bits, 2)) bits a \
      weight

      """
  }
}
