import MoECompression
import MoECore
import MoEExperts
import MoEKernels
import MoEModel
import MoEReport
import MoERuntime

/// `moe-run pack --quantize`, `--size` and `--keep-experts`: the model in other formats, or with
/// fewer experts.
extension Pack {
  func quantize(_ path: String, _ cancellation: CancellationFlag) async throws {
    guard let output else {
      throw Failure.usage("give -o with \(quantization.givenFlag): the file to write the model to")
    }
    let source = try QuantizationSource(modelAt: path)
    let threadCount = threads ?? ProcessorCount.current.count
    let quantizer = MatrixQuantizer(team: try WorkerTeam(workerCount: threadCount))
    if let note = quantizer.factorizer.note { StandardError.write("moe-run: note: \(note)\n") }
    let text = quantization.wantsCalibration ? try calibrationText() : ""
    let calibration =
      quantization.wantsCalibration
      ? try await CalibrationRun(
        modelAt: path, memory: memory, threadCount: threadCount,
        tokenCountMax: quantization.calibrationTokens, folder: Self.folder(of: output)
      ).calibration(text) : CalibrationRun.Calibration()
    let plan = try quantizationPlan(source, calibration, quantizer)
    let isCalibrated = quantization.method == .gptq && !plan.encoders.isEmpty
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
    let maker = CalibratedExperts(
      source, writer: writer, rows: calibration.rows, quantizer: quantizer)
    let result = try writer.write(progress: bar.update, makeExpert: maker.make)
    bar.erase()
    try say(result, maker.report)
  }

  /// What becomes of each tensor, and a note for those that become something else than was asked
  /// for.
  private func quantizationPlan(
    _ source: QuantizationSource, _ calibration: CalibrationRun.Calibration,
    _ quantizer: MatrixQuantizer
  ) throws -> QuantizationPlan {
    let pruning = try expertPruning(source, calibration.uses)
    var mix = quantization.mix()
    if let size = quantization.size {
      let measure = LayerLosses(source, quantizer: quantizer)
      let bar = ProgressBar("measuring formats")
      var losses: [Int: [Double]] = [:]
      for layer in source.experts.routedLayers {
        losses[layer] = try calibration.rows[layer].map {
          try measure.losses($0, SizedMix.expertEncoders)
        }
        bar.update(losses.count, source.experts.routedLayers.count)
        try Interruption.check()
      }
      bar.erase()
      let sized = try SizedMix(
        of: source, pruning: pruning, losses: losses,
        byteCountMax: size.byteCount(of: source.byteCount))
      try StandardOutput.write(Self.text(sized.chosen))
      mix = sized.mix
    }
    let plan = try QuantizationPlan(mix, pruning: pruning, of: source)
    for (name, encoder) in plan.substitutes {
      StandardError.write(
        "moe-run: note: rows of \(name) are no whole blocks of that format: "
          + (encoder.map { "written as \($0.name)" } ?? "it stays as it is") + "\n")
    }
    return plan
  }

  /// The experts that stay.
  private func expertPruning(
    _ source: QuantizationSource, _ uses: [Int: ExpertUses]
  ) throws -> ExpertPruning {
    guard let kept = quantization.keepExperts else { return ExpertPruning() }
    let layers = source.experts.routedLayers
    let counts: [Int]
    do {
      counts = try kept.counts(layerCount: layers.count)
    } catch {
      throw Failure.usage("--keep-experts: \(error)")
    }
    let byLayer = Dictionary(uniqueKeysWithValues: zip(layers, counts))
    let used = Dictionary(
      uniqueKeysWithValues: layers.map { layer in
        let uses =
          uses[layer] ?? ExpertUses(expertCount: source.experts.layers[layer].expertCount)
        return (layer, quantization.keepBy == .hard ? uses.hard : uses.soft)
      })
    return ExpertPruning(counts: used) { byLayer[$0] ?? 0 }
  }

  /// One line for each run of layers with experts in the same format.
  private static func text(_ chosen: [(layer: Int, encoder: BlockEncoder?)]) -> String {
    var lines: [String] = []
    var start = 0
    for (place, (layer, encoder)) in chosen.enumerated() {
      let next = place + 1 < chosen.count ? chosen[place + 1].encoder?.name : nil
      if place + 1 < chosen.count, next == encoder?.name { continue }
      let first = chosen[start].layer
      lines.append(
        "experts of layer \(first == layer ? "\(layer)" : "\(first) to \(layer)"): "
          + (encoder?.name ?? "as they are"))
      start = place + 1
    }
    return lines.joined(separator: "\n") + "\n"
  }

  func calibrationText() throws -> String {
    try quantization.calibration.map { path throws(Failure) in try InputText.file(path) }
      ?? GatingCalibration.ownText
  }

  static func folder(of path: String) -> String {
    path.contains("/")
      ? String(path.prefix(through: path.lastIndex(of: "/") ?? path.startIndex)) : "."
  }

  private func say(
    _ result: QuantizedModelWriter.Result, _ report: QuantizationReport?
  ) throws {
    try StandardOutput.write("wrote \(output ?? ""): \(ByteSize(result.byteCount))\n")
    if let report { try say(report) }
  }

  /// What rounding has cost.
  func say(_ report: QuantizationReport) throws {
    var lines: [String] = []
    if let loss = report.relativeLoss() {
      lines.append(
        "experts' results on the calibration text lose "
          + "\(Decimals.text(100 * loss.reached, 3)) % of their squares, "
          + "\(Decimals.text(100 * loss.nearest, 3)) % if rounded to the nearest")
      lines.append("\(Decimals.text(report.secondsPerExpert, 2)) s for an expert")
    }
    if !report.entries.isEmpty {
      lines.append("\(Decimals.text(100 * report.zeroShare, 1)) % of the weights are 0")
    }
    let fallbacks = report.fallbacks
    if let first = fallbacks.first {
      lines.append(
        "\(fallbacks.count) matrices were rounded to the nearest values; the first is expert "
          + "\(first.expert.index) of layer \(first.expert.layer): \(first.reason)")
    }
    try StandardOutput.write(lines.map { $0 + "\n" }.joined())
  }
}
