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
    "infinite": .array(.float([.infinity])), "words": .array(.strings(PackedStrings())),
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
    #expect(try source.optionalIntegerPerLayer("none", layerCount: 2) == nil)
    for read: (Source) throws -> Void in [
      { _ = try $0.requireInteger("none") }, { _ = try $0.requireFloat("none") },
      { _ = try $0.requireString("none") }, { _ = try $0.requireArray("none") },
      { _ = try $0.requireStrings("none") },
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
      { _ = try $0.optionalFloats("words") },
      { _ = try $0.optionalIntegerPerLayer("list", layerCount: 2) },
      { _ = try $0.optionalIntegerPerLayer("list", layerCount: 3) },
    ] {
      let error = #expect(throws: MetadataError.self) { try read(source) }
      #expect(error?.found != nil)
    }
  }

  @Test func `one number holds for all layers, an array for each`() throws {
    #expect(try source.optionalIntegerPerLayer("seven", layerCount: 3) == [7, 7, 7])
    #expect(
      try source.optionalIntegerPerLayer("list", layerCount: 3, in: -5...5) == [1, 2, -3])
  }
}
