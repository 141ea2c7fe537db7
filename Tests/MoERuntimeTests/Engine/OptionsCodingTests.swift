import Foundation
import MoECore
import MoERuntime
import Testing

/// Options as settings files have them.
@Suite struct OptionsCodingTests {
  @Test func engineOptionsSurviveCoding() throws {
    var options = EngineOptions()
    (options.memory, options.expertPool) = (.bytes(123_456_789), .fraction(0.25))
    (options.contextLength, options.parallelRequestCount, options.queueLength) = (99, 3, 7)
    (options.bundle, options.mirrors) = (.file("a.moebundle"), ["b.gguf"])
    (options.cachePolicy, options.store) = (try #require(CachePolicy(rawValue: "lru")), .pread)
    (options.kvCacheType, options.placement) = (.q8_0, .offloaded)
    let coded = try JSONEncoder().encode(options)
    let read = try JSONDecoder().decode(EngineOptions.self, from: coded)
    #expect(read == options && Set([read, options]).count == 1)
    #expect(read != EngineOptions())
  }

  @Test func whatIsNotThereHasItsDefault() throws {
    let none = try JSONDecoder().decode(EngineOptions.self, from: Data("{}".utf8))
    #expect(none == EngineOptions())
    var wanted = EngineOptions()
    (wanted.memory, wanted.threadCount) = (.bytes(8 << 30), 2)
    let some = try JSONDecoder().decode(
      EngineOptions.self, from: Data(#"{"memory": "8G", "threadCount": 2}"#.utf8))
    #expect(some == wanted)
    let sampling = try JSONDecoder().decode(
      SamplingOptions.self, from: Data(#"{"topK": 5, "seed": 9}"#.utf8))
    var expected = SamplingOptions()
    (expected.topK, expected.seed) = (5, 9)
    #expect(sampling == expected)
    let coded = try JSONEncoder().encode(expected)
    #expect(try JSONDecoder().decode(SamplingOptions.self, from: coded) == expected)
  }

  @Test(arguments: [
    #"{"memory": "8X"}"#, #"{"memory": -1}"#, #"{"memory": ""}"#, #"{"store": "tape"}"#,
    #"{"kvCacheType": "f8"}"#, #"{"threadCount": "two"}"#,
  ])
  func whatMeansNothingIsRefused(_ text: String) {
    #expect(throws: DecodingError.self) {
      try JSONDecoder().decode(EngineOptions.self, from: Data(text.utf8))
    }
  }
}
