import MoECore
import Testing

@Suite struct MetadataAccessTests {
  private struct Source: MetadataSource {
    let sourceName = "model.gguf"
    var values: [String: MetadataValue] = [:]
    func value(forKey key: String) -> MetadataValue? { values[key] }
  }

  private let source = Source(values: [
    "seven": .unsigned(7), "minus": .signed(-7), "huge": .unsigned(.max), "half": .float(0.5),
    "nan": .float(.nan), "wide": .float(1e300), "yes": .bool(true), "name": .string("olmoe"),
    "list": .array(.signed([1, 2, -3])), "floats": .array(.double([0.5, 2])),
    "infinite": .array(.float([.infinity])), "bytes": .bytes([0x4A, 0xE9]),
    "words": .array(.strings(PackedStrings())),
    "pattern": .array(.bool([true, false, true])), "bits": .array(.unsigned([1, 0, 1])),
  ])

  @Test func `values of the wanted type are given`() throws {
    #expect(try source.requireInteger("seven") == 7)
    #expect(try source.requireInteger("minus", in: -10...10) == -7)
    #expect(try source.requireFloat("half") == 0.5)
    #expect(try source.requireFloat("seven") == 7)
    #expect(try source.requireString("name") == "olmoe")
    #expect(try source.optionalBool("yes") == true)
    #expect(try source.requireArray("list").count == 3)
    #expect(try source.requireStrings("words").count == 0)
    #expect(try source.optionalIntegers("list", in: -3...2) == [1, 2, -3])
    #expect(try source.optionalFloats("floats") == [0.5, 2])
    #expect(try source.optionalFloats("list") == [1, 2, -3])
  }

  @Test func `absent keys are nil where optional and errors where required`() throws {
    #expect(try source.optionalInteger("none") == nil)
    #expect(try source.optionalFloat("none") == nil)
    #expect(try source.optionalString("none") == nil)
    #expect(try source.optionalBool("none") == nil)
    #expect(try source.optionalArray("none") == nil)
    #expect(try source.optionalStrings("none") == nil)
    #expect(try source.optionalIntegers("none") == nil)
    #expect(try source.optionalFloats("none") == nil)
    #expect(try source.optionalStoredStrings("none") == nil)
    #expect(try source.optionalIntegers(perLayer: "none", count: 2) == nil)
    #expect(try source.optionalNumbers(perLayer: "none", count: 2) == nil)
    #expect(try source.optionalBools(perLayer: "none", count: 2) == nil)
    for read: (Source) throws -> Void in [
      { _ = try $0.requireInteger("none") }, { _ = try $0.requireFloat("none") },
      { _ = try $0.requireString("none") }, { _ = try $0.requireArray("none") },
      { _ = try $0.requireStrings("none") }, { _ = try $0.integers(perLayer: "none", count: 2) },
      { _ = try $0.numbers(perLayer: "none", count: 2) },
    ] {
      let error = #expect(throws: MetadataError.self) { try read(source) }
      #expect(error?.found == nil)
      #expect(error?.key == "none")
      #expect(error?.description.contains("model.gguf: key \"none\": wanted") == true)
    }
  }

  @Test func `values of another type or out of range are errors, also where optional`() {
    for read: (Source) throws -> Void in [
      { _ = try $0.optionalInteger("minus") }, { _ = try $0.optionalInteger("seven", in: 8...9) },
      { _ = try $0.optionalInteger("huge") }, { _ = try $0.optionalInteger("half") },
      { _ = try $0.optionalFloat("nan") }, { _ = try $0.optionalFloat("wide") },
      { _ = try $0.optionalFloat("name") }, { _ = try $0.optionalString("yes") },
      { _ = try $0.optionalBool("seven") }, { _ = try $0.optionalArray("name") },
      { _ = try $0.optionalStrings("list") }, { _ = try $0.optionalIntegers("floats") },
      { _ = try $0.optionalIntegers("list") }, { _ = try $0.optionalFloats("infinite") },
      { _ = try $0.optionalFloats("words") }, { _ = try $0.optionalString("bytes") },
      { _ = try $0.optionalStoredStrings("list") }, { _ = try $0.optionalStoredStrings("name") },
      { _ = try $0.optionalInteger("list") }, { _ = try $0.optionalFloat("floats") },
      { _ = try $0.optionalIntegers(perLayer: "list", count: 2) },
      { _ = try $0.optionalIntegers(perLayer: "list", count: 3) },
      { _ = try $0.optionalIntegers(perLayer: "half", count: 3) },
      { _ = try $0.optionalNumbers(perLayer: "infinite", count: 1) },
      { _ = try $0.optionalNumbers(perLayer: "words", count: 1) },
      { _ = try $0.optionalBools(perLayer: "list", count: 3) },
    ] {
      let error = #expect(throws: MetadataError.self) { try read(source) }
      #expect(error?.found != nil)
    }
  }

  @Test func `one number holds for all layers, an array for each`() throws {
    #expect(try source.integers(perLayer: "seven", count: 3) == [7, 7, 7])
    #expect(try source.integers(perLayer: "list", count: 3, in: -5...5) == [1, 2, -3])
    #expect(try source.numbers(perLayer: "half", count: 2) == [0.5, 0.5])
    #expect(try source.numbers(perLayer: "floats", count: 2) == [0.5, 2])
    #expect(try source.numbers(perLayer: "list", count: 3) == [1, 2, -3])
    #expect(try source.optionalBools(perLayer: "yes", count: 2) == [true, true])
    #expect(try source.optionalBools(perLayer: "pattern", count: 3) == [true, false, true])
    #expect(try source.optionalBools(perLayer: "bits", count: 3) == [true, false, true])
  }

  @Test func `an error names the layer whose value is wrong`() {
    let error = #expect(throws: MetadataError.self) {
      try source.integers(perLayer: "list", count: 3, in: 0...9)
    }
    #expect(error?.found == "-3 for layer 2")
  }

  @Test func `an array of one value everywhere stands for that value`() throws {
    let same = Source(values: [
      "integers": .array(.unsigned([8, 8, 8])), "floats": .array(.float([0.5, 0.5])),
      "bools": .array(.bool([true, true])), "empty": .array(.signed([])),
    ])
    #expect(try same.requireInteger("integers") == 8)
    #expect(try same.requireFloat("integers") == 8)
    #expect(try same.requireFloat("floats") == 0.5)
    #expect(try same.optionalBool("bools") == true)
    #expect(throws: MetadataError.self) { try same.optionalInteger("empty") }
  }

  @Test func `numbers and truth values may be written in other types`() throws {
    let other = Source(values: [
      "eight": .float(8), "one": .unsigned(1), "zero": .signed(0), "list": .array(.float([1, 2])),
    ])
    #expect(try other.requireInteger("eight") == 8)
    #expect(try other.optionalBool("one") == true)
    #expect(try other.optionalBool("zero") == false)
    #expect(try other.integers(perLayer: "list", count: 2) == [1, 2])
    #expect(try other.optionalIntegers("one") == [1])
  }

  @Test func `values that say the same in other types are equivalent`() {
    let same: [(MetadataValue, MetadataValue)] = [
      (.unsigned(1), .signed(1)), (.float(1), .unsigned(1)), (.bool(true), .unsigned(1)),
      (.signed(0), .bool(false)), (.string("a"), .string("a")), (.float(0.5), .float(0.5)),
      (.array(.unsigned([1, 1])), .bool(true)), (.array(.float([2, 2])), .array(.signed([2]))),
    ]
    let different: [(MetadataValue, MetadataValue)] = [
      (.unsigned(2), .bool(true)), (.string("1"), .unsigned(1)), (.bool(true), .bool(false)),
      (.array(.unsigned([1, 2])), .unsigned(1)), (.string("a"), .string("b")),
      (.string("a"), .bytes([0x61])), (.float(0), .string("")),
    ]
    for (left, right) in same {
      #expect(left.isEquivalent(to: right) && right.isEquivalent(to: left), "\(left), \(right)")
    }
    for (left, right) in different {
      #expect(!left.isEquivalent(to: right) && !right.isEquivalent(to: left), "\(left), \(right)")
    }
  }
}
