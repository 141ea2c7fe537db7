import MoECore
import MoESynthetic
import MoETestSupport
import Testing

/// Arrays in their stored form against plain Swift values.
@Suite struct StoredArrayTests {
  private func bytes<T: FixedWidthInteger>(_ values: [T]) -> [UInt8] {
    var bytes: [UInt8] = []
    for value in values { bytes.appendLittleEndian(value) }
    return bytes
  }

  private func check<T: FixedWidthInteger & StoredElement>(
    _ type: T.Type, _ generator: inout SeededGenerator
  ) throws {
    let values =
      [T.min, T.max, 0, 1] + (0..<20).map { _ in T.random(in: .min ... .max, using: &generator) }
    let array = try #require(
      StoredArray(elementType: T.storedType, count: values.count, bytes: bytes(values)))
    for (index, value) in values.enumerated() {
      #expect(array.integer(at: index) == Int(exactly: value))
      #expect(array.number(at: index) == Double(value))
      #expect(array.boolean(at: index) == (value == 0 ? false : value == 1 ? true : nil))
    }
    let inPlace = array.withElements(as: T.self) { span in span.indices.map { span[$0] } }
    #expect(inPlace == values)
    switch array.decoded {
    case .unsigned(let decoded): #expect(decoded == values.map { UInt64($0) } && !T.isSigned)
    case .signed(let decoded): #expect(decoded == values.map { Int64($0) } && T.isSigned)
    default: Issue.record("\(array.decoded)")
    }
    #expect(array.decoded(countMax: 3).count == 3)
    #expect(array.strings == nil)
    for index in [-1, values.count] {
      #expect(array.integer(at: index) == nil && array.number(at: index) == nil)
    }
  }

  @Test(arguments: 1...5 as ClosedRange<UInt64>)
  func integersOfEveryWidthKeepTheirValues(_ seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    try check(UInt8.self, &generator)
    try check(Int8.self, &generator)
    try check(UInt16.self, &generator)
    try check(Int16.self, &generator)
    try check(UInt32.self, &generator)
    try check(Int32.self, &generator)
    try check(UInt64.self, &generator)
    try check(Int64.self, &generator)
  }

  @Test func floatsAndTruthValuesKeepTheirValues() throws {
    let floats: [Float] = [0, -1.5, .infinity, 3e38]
    let single = try #require(
      StoredArray(elementType: .float32, count: 4, bytes: bytes(floats.map(\.bitPattern))))
    #expect(single.decoded == .float(floats))
    #expect((0..<4).map { single.number(at: $0) } == floats.map { Double($0) })
    #expect(single.integer(at: 0) == 0 && single.integer(at: 1) == nil)
    #expect(single.withElements { (span: Span<Float>) in span[1] } == -1.5)
    #expect(single.withElements { (span: Span<Int32>) in span[1] } == nil)

    let doubles = [0.1, -2, 1e300]
    let double = try #require(
      StoredArray(elementType: .float64, count: 3, bytes: bytes(doubles.map(\.bitPattern))))
    #expect(double.decoded == .double(doubles))
    #expect(double.integer(at: 1) == -2)

    let bools = try #require(StoredArray(elementType: .bool, count: 2, bytes: [1, 0]))
    #expect(bools.decoded == .bool([true, false]))
    #expect(bools.boolean(at: 0) == true && bools.boolean(at: 2) == nil)
    #expect(bools.integer(at: 0) == nil)
  }

  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func stringsAreFoundWhereTheyLie(_ seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var texts: [[UInt8]] = []
    var stored: [UInt8] = []
    for _ in 0..<Int.random(in: 0...60, using: &generator) {
      let length = Int.random(in: 0...12, using: &generator)
      let text = (0..<length).map { _ in UInt8.random(in: 0...255, using: &generator) }
      texts.append(text)
      stored.appendGGUFString(text)
    }
    let array = try #require(
      StoredArray(elementType: .string, count: texts.count, bytes: stored))
    let strings = try #require(array.strings)
    #expect(strings.count == texts.count)
    #expect(strings.textByteCount == texts.reduce(0) { $0 + $1.count })
    for (index, text) in texts.enumerated() {
      #expect(Array(strings[index]) == text, "seed \(seed)")
      let span = strings.span(at: index)
      #expect(span.indices.map { span[$0] } == text, "seed \(seed)")
      #expect(strings.string(at: index) == String(decoding: text, as: UTF8.self))
    }
    guard case .strings(let packed) = array.decoded else {
      Issue.record("\(array.decoded)")
      return
    }
    #expect((0..<packed.count).map { Array(packed[$0]) } == texts)
    #expect(StoredArray(.strings(packed)) == array)
  }

  @Test func bytesThatAreNotTheElementsAreNoArray() {
    var text: [UInt8] = []
    text.appendGGUFString(Array("word".utf8))
    let nested = bytes([UInt32(0)]) + bytes([UInt64(2)]) + [1, 2]
    let cases: [(StoredArray.ElementType, Int, [UInt8])] = [
      (.uint32, 2, [0, 0, 0, 0]), (.uint32, 1, [0, 0, 0, 0, 0]), (.uint8, -1, []),
      (.uint64, .max, [0]), (.string, 1, Array(text.dropLast())), (.string, 1, text + [0]),
      (.string, 2, text), (.string, 1, bytes([UInt64.max])), (.string, 1, [1, 0, 0]),
      (.array, 1, Array(nested.dropLast())), (.array, 2, nested),
      (.array, 1, bytes([UInt32(13)]) + bytes([UInt64(0)])),
      (.array, 1, bytes([UInt32(0)]) + bytes([UInt64.max])),
    ]
    for (type, count, bytes) in cases {
      #expect(StoredArray(elementType: type, count: count, bytes: bytes) == nil, "\(type) \(count)")
    }
    #expect(StoredArray(elementType: .string, count: 1, bytes: text) != nil)
    #expect(StoredArray(elementType: .array, count: 1, bytes: nested) != nil)
  }

  @Test func arraysInArraysAreDecodedAndCutAtEveryDepth() throws {
    let values = MetadataArray.nested([
      .signed([1, 2, 3]), .nested([.bool([true, false, true]), .double([])]), .unsigned([7]),
    ])
    let array = try #require(StoredArray(values))
    #expect(array.decoded == values)
    #expect(
      array.decoded(countMax: 2)
        == .nested([.signed([1, 2]), .nested([.bool([true, false]), .double([])])]))
    var deep = MetadataArray.unsigned([1])
    for _ in 1..<StoredArray.depthMax { deep = .nested([deep]) }
    #expect(StoredArray(deep)?.decoded == deep)
    #expect(StoredArray(.nested([deep])) == nil)
  }
}
