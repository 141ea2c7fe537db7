import Foundation
import MoECore
import MoEGrammar
import MoETestSupport
import Testing

/// Schemas as programs use them: calls of tools, invoices, descriptions of interfaces, trees.
@Suite struct RealSchemaTests {
  struct Sample: Sendable, CustomTestStringConvertible {
    var name: String
    var schema: JSON
    var instances: [JSON]
    var testDescription: String { name }
  }

  static let samples: [Sample] = {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "Fixtures/grammars/schemas")
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.filter { $0.hasSuffix(".json") }.sorted().compactMap { name in
      guard let text = try? String(contentsOf: folder.appending(path: name), encoding: .utf8),
        let file = try? JSON(text: text), let schema = file["schema"],
        case .array(let instances) = file["instances"]
      else { return nil }
      return Sample(name: name, schema: schema, instances: instances)
    }
  }()

  @Test func areAllThere() { #expect(Self.samples.count == 10) }

  @Test(arguments: samples) func acceptsItsInstances(_ sample: Sample) throws {
    let compiled = try CompiledGrammar(
      Grammar(jsonSchema: sample.schema), vocabulary: byteVocabulary)
    var random = RandomInstance(generator: SeededGenerator(seed: 1))
    for instance in sample.instances {
      for _ in 0..<4 {
        let text = random.text(instance)
        #expect(try compiled.accepts(text), "\(text)")
        #expect(try !compiled.accepts(String(text.dropLast())))
      }
    }
  }

  @Test(PythonOracle.needed) func whatIsWrittenIsValid() throws {
    var generator = SeededGenerator(seed: Fuzz.firstSeed)
    let vocabulary = try TestVocabulary.mixed(&generator, count: 800)
    var cases: [PythonOracle.Case] = []
    for sample in Self.samples {
      let compiled = try CompiledGrammar(
        Grammar(jsonSchema: sample.schema), vocabulary: vocabulary.vocabulary)
      var endlessCount = 0
      for _ in 0..<6 {
        guard let text = try compiled.sample(vocabulary, &generator, tokenCountMax: 3000) else {
          endlessCount += 1
          continue
        }
        cases.append(
          .init(
            schema: sample.schema, text: String(decoding: text, as: UTF8.self), isValid: true,
            sample.name))
      }
      #expect(endlessCount <= 2, "\(sample.name)")
      for instance in sample.instances {
        cases.append(
          .init(schema: sample.schema, text: instance.jsonText, isValid: true, sample.name))
      }
    }
    try PythonOracle.check(cases)
  }
}
