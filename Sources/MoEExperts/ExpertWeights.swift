package import MoECore
package import MoEKernels
import MoEStore

/// One expert's matrices and biases in memory, valid while its lease lasts.
package struct ExpertWeights {
  /// (width, hiddenSize); nil where the expert has no gate.
  package var gate: QuantizedMatrix?
  /// (width, hiddenSize)
  package var up: QuantizedMatrix
  /// (hiddenSize, width)
  package var down: QuantizedMatrix
  /// (width)
  package var gateBias: FloatView?
  package var upBias: FloatView?
  /// (hiddenSize)
  package var downBias: FloatView?

  /// Finds a layer's weights in an expert's parts.
  ///
  /// - Parameters:
  ///   - expert: Of a bundle's, those that stay coded differ in format.
  ///   - bytes: The bytes of a part, by its number.
  package init(_ layer: ExpertLayer, expert: Int, bytes: (_ part: Int) -> ByteView) {
    guard let assembly = layer.assembly else {
      preconditionFailure("a dense layer has no experts")
    }
    func matrix(_ piece: ExpertAssembly.Piece) -> QuantizedMatrix {
      piece.matrix(
        layer.slot(ofPart: piece.part, expert: expert).format, bytes(piece.part))
    }
    gate = assembly.gate.map(matrix)
    up = matrix(assembly.up)
    down = matrix(assembly.down)
    gateBias = assembly.gateBias?.vector(bytes)
    upBias = assembly.upBias?.vector(bytes)
    downBias = assembly.downBias?.vector(bytes)
  }
}

/// Which bytes of which part each matrix and bias of an expert is; worked out once for a layer.
struct ExpertAssembly: Sendable, Hashable {
  struct Piece: Sendable, Hashable {
    var part: Int
    /// The part's rows or, of a vector, its columns, from which on the piece is.
    var start: Int
    var rowCount: Int
    var columnCount: Int

    /// - Parameters:
    ///   - format: What the part is in.
    ///   - bytes: Of the part. Codewords are found from the rows, wherever these begin.
    func matrix(_ format: QuantFormat, _ bytes: ByteView) -> QuantizedMatrix {
      let rowByteCount = format.rowByteCount(columnCount: columnCount)
      return QuantizedMatrix(
        format: format,
        bytes: bytes.slice(start * rowByteCount, count: rowCount * rowByteCount),
        rowCount: rowCount, columnCount: columnCount)
    }

    func vector(_ bytes: (_ part: Int) -> ByteView) -> FloatView {
      let floatByteCount = MemoryLayout<Float>.size
      let view = bytes(part).slice(start * floatByteCount, count: columnCount * floatByteCount)
      precondition(unsafe UInt(bitPattern: view.pointer) % 4 == 0)
      return unsafe FloatView(
        view.pointer.assumingMemoryBound(to: Float.self), count: columnCount)
    }
  }

  let gate: Piece?
  let up: Piece
  let down: Piece
  let gateBias: Piece?
  let upBias: Piece?
  let downBias: Piece?

  init(_ parts: [ExpertPart]) {
    let whole = { Self.piece($0, of: parts, half: nil) }
    let (gateUp, gateUpBias) = (whole(.gateUp), whole(.gateUpBias))
    precondition((gateUp == nil) != (whole(.up) == nil), "up is there once")
    precondition(gateUp == nil || whole(.gate) == nil, "the gate is there once")
    guard let up = gateUp == nil ? whole(.up) : Self.piece(.gateUp, of: parts, half: 1),
      let down = whole(.down)
    else { preconditionFailure("an expert has up and down") }
    self.up = up
    self.down = down
    gate = gateUp == nil ? whole(.gate) : Self.piece(.gateUp, of: parts, half: 0)
    gateBias = gateUpBias == nil ? whole(.gateBias) : Self.piece(.gateUpBias, of: parts, half: 0)
    upBias = gateUpBias == nil ? whole(.upBias) : Self.piece(.gateUpBias, of: parts, half: 1)
    downBias = whole(.downBias)
    precondition(gate == nil || gate?.rowCount == up.rowCount)
    precondition(down.columnCount == up.rowCount)
    precondition([gateBias, upBias].allSatisfy { $0 == nil || $0?.columnCount == up.rowCount })
    precondition(downBias == nil || downBias?.columnCount == down.rowCount)
    precondition(gateBias == nil || gate != nil)
  }

  /// A part, or a half of it: of a matrix half its rows, of a vector half its floats.
  private static func piece(
    _ role: ExpertPartRole, of parts: [ExpertPart], half: Int?
  ) -> Piece? {
    guard let number = parts.firstIndex(where: { $0.role == role }) else { return nil }
    let part = parts[number]
    var piece = Piece(
      part: number, start: 0, rowCount: part.rowCount, columnCount: part.columnCount)
    guard let half else { return piece }
    if role.isMatrix {
      precondition(part.rowCount % 2 == 0)
      piece.rowCount /= 2
      piece.start = half * piece.rowCount
    } else {
      precondition(part.columnCount % 2 == 0)
      piece.columnCount /= 2
      piece.start = half * piece.columnCount
    }
    return piece
  }
}
