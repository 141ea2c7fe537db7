import MoECore
import MoEExperts
import MoEKernels
import MoEModel

/// One step for all requests in progress.
extension EngineCore {
  /// A request's part of a step.
  private struct Part {
    let run: GenerationRun
    let rows: Range<Int>
    let isPrompt: Bool
  }

  /// Goes on with all requests; false where there are none.
  func step() -> Bool {
    for run in runs where run.request.cancellation.isCancelled { end(run, .cancelled) }
    if runs.isEmpty { return false }
    let parts = nextParts()
    let start = MonotonicClock.nanoseconds()
    let traffic = decoder.experts.statistics
    let routed = decoder.routed
    do {
      try run(parts)
    } catch is CancellationError {
      // Somebody's, who is named next time; the others try again.
      for part in parts { part.run.recoverFromFailedStep(decoder) }
      return true
    } catch {
      for part in parts { end(part.run, failure: error) }
      return true
    }
    for part in parts {
      part.run.meter.add(
        traffic: decoder.experts.statistics - traffic, routed: decoder.routed - routed)
      if part.isPrompt { part.run.didReadPrompt(part.rows.count) }
    }
    makeTokens(parts)
    let seconds = Double(MonotonicClock.nanoseconds() - start) * 1e-9
    if parts.count == 1, !parts[0].isPrompt {
      parts[0].run.didVerify(rowCount: parts[0].rows.count, seconds: seconds)
    }
    promptPace.didStep(
      seconds: seconds, readPrompts: parts.contains(where: \.isPrompt),
      generated: parts.contains { !$0.isPrompt })
    return true
  }

  private func nextParts() -> [Part] {
    for run in runs { run.prepareStep() }
    let schedule = StepSchedule(
      rowCountMax: decoder.stepRowCountMax, promptRowCountMax: promptRowCountMax)
    let counts = schedule.rowCounts(runs.map(\.candidate), readsPrompts: promptPace.mayRead)
    var parts: [Part] = []
    var row = 0
    for (run, count) in zip(runs, counts) where count > 0 {
      parts.append(
        Part(run: run, rows: row..<row + count, isPrompt: run.candidate.isPrompt))
      row += count
    }
    return parts
  }

  /// Rows of prompts beside texts that are being generated: enough for products to run at full
  /// speed where all experts are in memory. Else a part of any size reads nearly all of them, so
  /// the larger it is the better.
  private var promptRowCountMax: Int {
    let isResident = decoder.experts is ResidentExperts
    return isResident
      ? min(ScratchLayout.tileTokenCountMax, decoder.stepRowCountMax) : decoder.stepRowCountMax
  }

  private func run(_ parts: [Part]) throws {
    let layerCount = header.description.layerCount
    // One flag for all: whoever leaves while a prompt is read has its step stopped.
    let flag = parts.count == 1 ? parts[0].run.request.cancellation : CancellationFlag()
    let isPrompt = parts.contains(where: \.isPrompt)
    let first = parts[0].run.sequence.position
    let rowCount = parts.reduce(0) { $0 + $1.rows.count }
    do {
      try timedStep(
        isPrompt ? .prefillChunk : .token, position: first, tokenCount: rowCount
      ) {
        try decoder.forward(
          parts.map {
            StepInput(
              $0.run.sequence, $0.run.pending.prefix($0.rows.count),
              phase: $0.isPrompt ? .prefill : .decode)
          }, cancellation: flag
        ) { done in
          for part in parts where part.isPrompt {
            part.run.didComputeLayers(done, of: layerCount, rowCount: part.rows.count)
            if part.run.request.cancellation.isCancelled { flag.cancel() }
          }
        }
      }
    } catch let error as ExpertError {
      throw EngineError.experts(error)
    }
  }

  /// Draws a token for every text that has been run as a whole.
  private func makeTokens(_ parts: [Part]) {
    let parts = parts.filter(\.run.isWhole)
    var rest = parts[...]
    while !rest.isEmpty {
      // As many texts as there is room for logits.
      var count = 0
      var rows: [Int] = []
      for part in rest {
        let wanted = part.isPrompt ? part.rows.suffix(1) : part.rows
        if !rows.isEmpty, rows.count + wanted.count > decoder.logitRowCountMax { break }
        rows += wanted
        count += 1
      }
      let logits = decoder.logits(ofRows: rows)
      var row = 0
      for part in rest.prefix(count) {
        let own = part.isPrompt ? 1 : part.rows.count
        makeToken(part, logits.rows(row, count: own))
        row += own
      }
      rest = rest.dropFirst(count)
    }
  }

  private func makeToken(_ part: Part, _ logits: FloatRows) {
    if part.isPrompt { part.run.meter.finishPrefill() }
    do {
      guard let reason = try part.run.makeTokens(logits, core: self) else {
        part.run.goBack(decoder)
        return
      }
      part.run.goBack(decoder)
      end(part.run, reason)
    } catch {
      end(part.run, failure: error)
    }
  }
}
