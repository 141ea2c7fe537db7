import MoECore
import MoEExperts
import MoEKernels
import MoEStore
import MoETestSupport

/// How a made-up layer keeps its experts.
enum ExpertForm: CaseIterable {
  case stacked, single, fused, biased, fusedAndBiased, gateless, dense
}

/// One expert's weights as bytes, made before they are laid into a file.
struct ExpertBytes {
  var gate: [UInt8]?
  var up: [UInt8]
  var down: [UInt8]
  var gateBias: [UInt8]?
  var upBias: [UInt8]?
  var downBias: [UInt8]?
}

/// A made-up model's experts in two files of noise, at any offsets that files allow.
struct PlacedExperts {
  private(set) var contents: [[UInt8]] = [[], []]
  private(set) var layers: [ExpertLayer] = []
  /// (layer, expert): what must be found.
  private(set) var expected: [[ExpertBytes]] = []
  private var random: SeededGenerator
  private static let floats = QuantFormat.all.first { $0.name == "F32" } ?? QuantFormat.all[0]

  init(seed: UInt64, forms: [ExpertForm]) {
    random = SeededGenerator(seed: seed)
    for form in forms { add(form) }
    for index in contents.indices { pad(index) }
  }

  var layout: ExpertLayout { ExpertLayout(layers: layers) }
  var files: [StoreFile] {
    contents.enumerated().map { StoreFile(path: "part-\($0)", byteCount: $1.count) }
  }

  private mutating func integer(_ range: ClosedRange<Int>) -> Int {
    .random(in: range, using: &random)
  }

  private mutating func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next() >> 13) }
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
    let format = QuantFormat.all[integer(0...QuantFormat.all.count - 1)]
    let count = integer(2...7)
    let unit = format.blockElementCount
    let (hidden, width) = (unit * integer(1...3), unit * integer(1...2))
    let hasGate = form != .gateless
    let (isFused, isSingle) = (form == .fused || form == .fusedAndBiased, form == .single)
    let hasBiases = form == .biased || form == .fusedAndBiased
    let size = width * format.rowByteCount(columnCount: hidden)
    let downSize = hidden * format.rowByteCount(columnCount: width)
    var experts: [ExpertBytes] = []
    for _ in 0..<count {
      experts.append(
        ExpertBytes(
          gate: hasGate ? bytes(size) : nil, up: bytes(size), down: bytes(downSize),
          gateBias: hasBiases ? bytes(4 * width) : nil, upBias: hasBiases ? bytes(4 * width) : nil,
          downBias: hasBiases ? bytes(4 * hidden) : nil))
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
  func matches(_ bytes: ExpertBytes) -> Bool {
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
