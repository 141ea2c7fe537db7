import MoECompression
import MoECore
import MoEExperts
import MoEKernels
import MoEModel
import MoEReport
import MoERuntime

/// `moe-run pack --quantize`: the model in other formats.
extension Pack {
  func quantize(_ path: String, _ cancellation: CancellationFlag) async throws {
    guard let output else {
      throw Failure.usage("--quantize wants -o: the file to write the model to")
    }
    let source = try QuantizationSource(modelAt: path)
    let plan = try QuantizationPlan(quantization.mix(), of: source)
    for (name, encoder) in plan.substitutes {
      StandardError.write(
        "moe-run: note: rows of \(name) are no whole blocks of that format: "
          + (encoder.map { "written as \($0.name)" } ?? "it stays as it is") + "\n")
    }
    let threadCount = threads ?? ProcessorCount.current.count
    let team = try WorkerTeam(workerCount: threadCount)
    let quantizer = MatrixQuantizer(team: team)
    if let note = quantizer.factorizer.note { StandardError.write("moe-run: note: \(note)\n") }
    let isCalibrated = quantization.method == .gptq
    let text = isCalibrated ? try calibrationText() : ""
    let writer = try QuantizedModelWriter(
      source, plan, to: output,
      recipe: isCalibrated
        ? "gptq \(quantization.calibrationTokens) \(CRC32C.checksum(Array(text.utf8)))" : "rtn",
      quantizer: quantizer, cancellation: cancellation)
    let bar = ProgressBar("quantising", format: ProgressBar.sizes)
    guard isCalibrated else {
      let result = try writer.write(progress: bar.update)
      bar.erase()
      return try say(result, nil)
    }
    let rows = try await CalibrationRun(
      modelAt: path, memory: memory, threadCount: threadCount,
      tokenCountMax: quantization.calibrationTokens, folder: Self.folder(of: output)
    ).rows(of: text)
    let maker = CalibratedExperts(source, writer: writer, rows: rows, quantizer: quantizer)
    let result = try writer.write(progress: bar.update, makeExpert: maker.make)
    bar.erase()
    try say(result, maker.report)
  }

  private func calibrationText() throws -> String {
    try quantization.calibration.map { path throws(Failure) in try InputText.file(path) }
      ?? GatingCalibration.ownText
  }

  private static func folder(of path: String) -> String {
    path.contains("/")
      ? String(path.prefix(through: path.lastIndex(of: "/") ?? path.startIndex)) : "."
  }

  private func say(
    _ result: QuantizedModelWriter.Result, _ report: QuantizationReport?
  ) throws {
    var lines = ["wrote \(output ?? ""): \(ByteSize(result.byteCount))"]
    if let report, let loss = report.relativeLoss() {
      lines.append(
        "experts' results on the calibration text lose "
          + "\(Decimals.text(100 * loss.reached, 3)) % of their squares, "
          + "\(Decimals.text(100 * loss.nearest, 3)) % if rounded to the nearest")
      lines.append(
        "\(Decimals.text(report.secondsPerExpert, 2)) s for an expert, "
          + "\(Decimals.text(100 * report.zeroShare, 1)) % of the weights are 0")
    }
    let fallbacks = report?.fallbacks ?? []
    if let first = fallbacks.first {
      lines.append(
        "\(fallbacks.count) matrices were rounded to the nearest values; the first is expert "
          + "\(first.expert.index) of layer \(first.expert.layer): \(first.reason)")
    }
    try StandardOutput.write(lines.joined(separator: "\n") + "\n")
  }
}

/// Quantises experts as a file's writer asks for them.
private final class CalibratedExperts {
  private let source: QuantizationSource
  private let writer: QuantizedModelWriter
  private let rows: [Int: CalibrationRows]
  private let quantizer: MatrixQuantizer
  /// Of the layer whose experts come.
  private var layer = -1
  private var floats: ExpertFloats?
  private var experts: ExpertQuantizer?
  private(set) var report = QuantizationReport()

  init(
    _ source: QuantizationSource, writer: QuantizedModelWriter, rows: [Int: CalibrationRows],
    quantizer: MatrixQuantizer
  ) {
    self.source = source
    self.writer = writer
    self.rows = rows
    self.quantizer = quantizer
  }

  func make(_ expert: ExpertID) throws(QuantizeError) -> [ExpertPartRole: [UInt8]] {
    if layer != expert.layer { try begin(expert.layer) }
    guard let floats, let experts else { preconditionFailure("the layer has experts") }
    try source.read(expert, into: floats, team: quantizer.team)
    var targets: [ExpertPartRole: WeightTarget] = [:]
    for part in floats.parts {
      if let encoder = writer.encoder(of: part.role, expert) {
        targets[part.role] = .blocks(encoder)
      }
    }
    let parts = try experts.quantize(
      floats, index: expert.index, rows: rows[expert.layer], targets: targets)
    report.add(expert, parts)
    return Dictionary(uniqueKeysWithValues: parts.map { ($0.role, $0.weights.bytes) })
  }

  private func begin(_ number: Int) throws(QuantizeError) {
    (floats, experts) = (nil, nil)
    guard let routed = source.description.layers[number].feedForward?.routed else {
      preconditionFailure("layer \(number) has no experts")
    }
    do throws(OutOfMemory) {
      floats = try ExpertFloats(source.experts.layers[number])
      experts = try ExpertQuantizer(
        hiddenSize: source.description.hiddenSize, width: routed.width,
        activation: routed.activation, quantizer: quantizer,
        scalesInput: routed.router.weightPlacement == .input)
    } catch {
      throw .outOfMemory(error)
    }
    layer = number
  }
}
