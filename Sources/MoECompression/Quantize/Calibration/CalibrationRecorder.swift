package import MoECore
package import MoEKernels
package import MoEModel

/// Keeps what the routed experts of some layers read while a decoder runs a calibration text, and
/// counts how much those of all layers are used.
///
/// An observer cannot throw: what went wrong is in `failure`, and nothing is kept from then on.
package final class CalibrationRecorder: DecoderObserver {
  /// By layer.
  package let rows: [Int: CalibrationRows]
  package private(set) var failure: CalibrationError?
  /// By layer, of all layers with experts: how much they are used.
  package private(set) var uses: [Int: ExpertUses] = [:]

  /// Tokens whose rows do not count, nor those from which they are predicted: special ones, which
  /// no text has (QMoE, arXiv 2310.16795, section 3.2).
  private let isExcluded: (_ token: Int) -> Bool
  /// (row of the step)
  private var isKept: [Bool] = []
  /// (row, hiddenSize): what `willRoute` has shown, whose memory is reused before `didRoute`.
  private var input: [Float] = []
  private var inputRowCount = 0

  package init(
    _ rows: [CalibrationRows], isExcluded: @escaping (_ token: Int) -> Bool = { _ in false }
  ) {
    self.rows = Dictionary(rows.map { ($0.layer, $0) }, uniquingKeysWith: { first, _ in first })
    self.isExcluded = isExcluded
  }

  package func didBegin(_ tokens: IndexView, _ sequences: [SequenceRows]) {
    begin((0..<tokens.count).map { Int(tokens[$0]) }, sequences.map(\.rows))
  }

  /// - Parameters:
  ///   - tokens: (row of the step)
  ///   - sequences: Their rows.
  package func begin(_ tokens: [Int], _ sequences: [Range<Int>]) {
    isKept = tokens.map { !isExcluded($0) }
    for rows in sequences {
      for row in rows.dropFirst() where isExcluded(tokens[row]) { isKept[row - 1] = false }
    }
  }

  package func willRoute(layer: Int, start: Int, input: FloatRows) {
    guard failure == nil, rows[layer] != nil else { return }
    self.input.removeAll(keepingCapacity: true)
    for row in 0..<input.rowCount { self.input += input.row(row).array() }
    inputRowCount = input.rowCount
  }

  package func didRoute(layer: Int, start: Int, logits: FloatRows, selection: Selection) {
    uses[layer, default: ExpertUses(expertCount: logits.columnCount)]
      .add(selection) { row in isKept[start + row] }
    guard failure == nil, let kept = rows[layer], inputRowCount == selection.tokenCount else {
      return
    }
    unsafe input.withUnsafeMutableBufferPointer { buffer in
      guard let memory = buffer.baseAddress else { return }
      let view = unsafe FloatView(memory, count: buffer.count)
      let rows = FloatRows(view, rowCount: selection.tokenCount, columnCount: kept.columnCount)
      do throws(CalibrationError) {
        try kept.append(rows, selection) { row in isKept[start + row] }
      } catch {
        failure = error
      }
    }
    inputRowCount = 0
  }

  package func didEmbed(_ hidden: FloatRows) {}
  package func didFinish(layer: Int, _ hidden: FloatRows) {}
  package func didNormalize(_ rows: FloatRows) {}
}
