import MoECore
package import MoEExperts
import MoEKernels
package import MoEStore

/// How a made-up layer keeps its experts.
package enum ExpertForm: CaseIterable, Sendable {
  case stacked, single, fused, biased, fusedAndBiased, gateless, dense
}

/// One expert's weights as bytes, made before they are laid into a file.
package struct ExpertBytes {
  package var gate: [UInt8]?
  package var up: [UInt8]
  package var down: [UInt8]
  package var gateBias: [UInt8]?
  package var upBias: [UInt8]?
  package var downBias: [UInt8]?
}

/// A made-up model's experts in two files of noise, at any offsets that files allow.
package struct PlacedExperts {
  package private(set) var contents: [[UInt8]] = [[], []]
  package private(set) var layers: [ExpertLayer] = []
  /// (layer, expert): what must be found.
  package private(set) var expected: [[ExpertBytes]] = []
  private var random: SeededGenerator
  private static let floats = QuantFormat.all.first { $0.name == "F32" } ?? QuantFormat.all[0]

  private let format: QuantFormat?

  /// - Parameter formatName: Of all matrices; nil: one that is drawn for each layer, whose weights
  ///   are noise. Weights of F32 and Q8_0 are numbers to compute with.
  package init(seed: UInt64, forms: [ExpertForm], formatName: String? = nil) {
    format = formatName.flatMap { name in QuantFormat.all.first { $0.name == name } }
    precondition((format == nil) == (formatName == nil))
    random = SeededGenerator(seed: seed)
    for form in forms { add(form) }
    for index in contents.indices { pad(index) }
  }

  package var layout: ExpertLayout { ExpertLayout(layers: layers) }
  package var files: [StoreFile] {
    contents.enumerated().map { StoreFile(path: "part-\($0)", byteCount: $1.count) }
  }

  private mutating func integer(_ range: ClosedRange<Int>) -> Int {
    .random(in: range, using: &random)
  }

  private mutating func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next() >> 13) }
  }

  /// A matrix's or a vector's bytes, of numbers from -1 to 1 where the format is one of those.
  private mutating func weights(_ count: Int, _ format: QuantFormat) -> [UInt8] {
    switch format.name {
    case "F32":
      return (0..<count / 4).flatMap { _ in
        let bits = Float(random.nextUnit() * 2 - 1).bitPattern
        return (0..<4).map { UInt8(truncatingIfNeeded: bits >> (8 * UInt32($0))) }
      }
    case "Q8_0":
      var all = bytes(count)
      let scale = Float16(1.0 / 128).bitPattern
      for block in stride(from: 0, to: count, by: format.blockByteCount) {
        all[block] = UInt8(truncatingIfNeeded: scale)
        all[block + 1] = UInt8(truncatingIfNeeded: scale >> 8)
      }
      return all
    default: return bytes(count)
    }
  }

  /// Tensors begin at multiples of four bytes, most of them at odd places of a block.
  private mutating func pad(_ file: Int) {
    let count = 4 * integer(0...1500) + (4 - contents[file].count % 4) % 4
    contents[file] += bytes(count)
  }

  /// Lays a part of all experts into a file: one after the other, or each at a place of its own.
  private mutating func place(_ experts: [[UInt8]], isSingle: Bool) -> ExpertPart.Storage {
    let file = integer(0...1)
    func extent(_ bytes: [UInt8]) -> FileExtent {
      FileExtent(fileIndex: file, offset: contents[file].count, byteCount: bytes.count)
    }
    guard isSingle else {
      pad(file)
      let all = experts.flatMap(\.self)
      defer { contents[file] += all }
      return .stack(extent(all))
    }
    var extents: [FileExtent] = []
    for bytes in experts {
      pad(file)
      extents.append(extent(bytes))
      contents[file] += bytes
    }
    return .single(extents)
  }

  private mutating func add(_ form: ExpertForm) {
    guard form != .dense else {
      layers.append(.dense)
      expected.append([])
      return
    }
    let format = format ?? QuantFormat.all[integer(0...QuantFormat.all.count - 1)]
    let count = integer(2...7)
    let unit = max(format.blockElementCount, 8)
    let (hidden, width) = (unit * integer(1...3), unit * integer(1...2))
    let hasGate = form != .gateless
    let (isFused, isSingle) = (form == .fused || form == .fusedAndBiased, form == .single)
    let hasBiases = form == .biased || form == .fusedAndBiased
    let size = width * format.rowByteCount(columnCount: hidden)
    let downSize = hidden * format.rowByteCount(columnCount: width)
    func bias(_ count: Int) -> [UInt8]? {
      hasBiases ? weights(4 * count, Self.floats) : nil
    }
    var experts: [ExpertBytes] = []
    for _ in 0..<count {
      experts.append(
        ExpertBytes(
          gate: hasGate ? weights(size, format) : nil, up: weights(size, format),
          down: weights(downSize, format), gateBias: bias(width), upBias: bias(width),
          downBias: bias(hidden)))
    }
    var parts: [ExpertPart] = []
    func add(_ role: ExpertPartRole, _ rows: Int, _ columns: Int, _ bytes: [[UInt8]]) {
      parts.append(
        ExpertPart(
          role, name: "\(role)", format: role.isMatrix ? format : Self.floats,
          rowCount: rows, columnCount: columns, storage: place(bytes, isSingle: isSingle)))
    }
    func joined(_ first: [UInt8]?, _ second: [UInt8]?) -> [UInt8] { (first ?? []) + (second ?? []) }
    if isFused {
      add(.gateUp, 2 * width, hidden, experts.map { joined($0.gate, $0.up) })
    } else {
      if hasGate { add(.gate, width, hidden, experts.map { $0.gate ?? [] }) }
      add(.up, width, hidden, experts.map(\.up))
    }
    add(.down, hidden, width, experts.map(\.down))
    if hasBiases && isFused {
      add(.gateUpBias, 1, 2 * width, experts.map { joined($0.gateBias, $0.upBias) })
    } else if hasBiases {
      add(.gateBias, 1, width, experts.map { $0.gateBias ?? [] })
      add(.upBias, 1, width, experts.map { $0.upBias ?? [] })
    }
    if hasBiases { add(.downBias, 1, hidden, experts.map { $0.downBias ?? [] }) }
    layers.append(
      ExpertLayer(expertCount: count, expertsPerToken: integer(1...min(count, 3)), parts: parts))
    expected.append(experts)
  }
}

extension ExpertWeights {
  /// Whether these are the bytes that were laid into the file, all of them and nothing else.
  package func matches(_ bytes: ExpertBytes) -> Bool {
    let matrices = [(gate, bytes.gate), (up, bytes.up), (down, bytes.down)]
    let vectors = [
      (gateBias, bytes.gateBias), (upBias, bytes.upBias), (downBias, bytes.downBias),
    ]
    return matrices.allSatisfy { matrix, expected in
      if let matrix, matrix.rowCount * matrix.rowByteCount != matrix.bytes.count { return false }
      return Self.array(matrix?.bytes) == expected
    }
      && vectors.allSatisfy { vector, expected in
        Self.array(vector.map { unsafe ByteView($0.pointer, count: 4 * $0.count) }) == expected
      }
  }

  private static func array(_ view: ByteView?) -> [UInt8]? {
    view.map { unsafe Array(UnsafeRawBufferPointer(start: $0.pointer, count: $0.count)) }
  }
}
