import CMoERuntimeInterface
import MoECore
import MoETestSupport
import Testing

/// The options of C, set in this process.
@Suite struct OptionTests {
  /// A call of a kind's `set` with bytes as C has them.
  private static func set(
    _ options: OpaquePointer?, _ name: [UInt8], _ value: [UInt8]
  ) -> (status: moe_status, message: String?) {
    var message: UnsafeMutablePointer<CChar>?
    let status = unsafe (name + [0]).withUnsafeBufferPointer { name in
      unsafe (value + [0]).withUnsafeBufferPointer { value in
        unsafe name.withMemoryRebound(to: CChar.self) { name in
          unsafe value.withMemoryRebound(to: CChar.self) { value in
            unsafe moe_options_set(options, name.baseAddress, value.baseAddress, &message)
          }
        }
      }
    }
    defer { unsafe moe_string_free(message) }
    return (status, unsafe message.map { unsafe String(cString: $0) })
  }

  private static func make(_ isText: Bool) -> OpaquePointer? {
    unsafe isText ? moe_options_for_text() : moe_options_for_loading()
  }

  /// All options of a kind, as C is told them.
  private static func list(_ isText: Bool) throws -> [JSON] {
    let options = unsafe make(isText)
    defer { unsafe moe_options_free(options) }
    var text: UnsafeMutablePointer<CChar>?
    let status = unsafe moe_options_describe(options, &text, nil)
    defer { unsafe moe_string_free(text) }
    try #require(status == MOE_OK)
    let json = try JSON(text: unsafe #require(text.map { unsafe String(cString: $0) }))
    guard case .array(let entries) = json else { return [] }
    return entries
  }

  @Test(arguments: [false, true]) func everyOptionTakesItsExampleAndNoOther(_ isText: Bool) throws {
    let entries = try Self.list(isText)
    #expect(entries.count > 20)
    let names = entries.compactMap { $0["name"]?.string }
    #expect(Set(names).count == entries.count)
    let options = unsafe Self.make(isText)
    let other = unsafe Self.make(!isText)
    defer {
      unsafe moe_options_free(options)
      unsafe moe_options_free(other)
    }
    for entry in entries {
      let name = try #require(entry["name"]?.string)
      let example = try #require(entry["example"]?.string)
      #expect(entry["summary"]?.string?.isEmpty == false)
      let result = unsafe Self.set(options, Array(name.utf8), Array(example.utf8))
      #expect(result.status == MOE_OK && result.message == nil, "\(name): \(result)")
      let wrong = unsafe Self.set(other, Array(name.utf8), Array(example.utf8))
      #expect(wrong.status == MOE_ERROR_ARGUMENT)
      #expect(wrong.message?.contains(name) == true)
    }
  }

  /// What is not a number, a size or a name is refused with the option's name, and nothing is lost.
  @Test(arguments: [false, true]) func refusesOtherValuesByName(_ isText: Bool) throws {
    let anyText = [
      "stop", "grammar", "json-schema", "mirror", "bundle", "dry-sequence-breaker",
    ]
    let options = unsafe Self.make(isText)
    defer { unsafe moe_options_free(options) }
    for entry in try Self.list(isText) {
      let name = try #require(entry["name"]?.string)
      if anyText.contains(name) { continue }
      let result = unsafe Self.set(options, Array(name.utf8), Array("\u{1B}[2J".utf8))
      #expect(result.status == MOE_ERROR_ARGUMENT, "\(name)")
      let message = try #require(result.message)
      #expect(message.contains("\"\(name)\"") && message.contains("give it "), "\(message)")
      #expect(!message.unicodeScalars.contains("\u{1B}"), "\(message)")
    }
  }

  @Test(arguments: Fuzz.seeds(20_000, iterationsPerRun: 1000))
  func endsAnySettingInACodeAndASentenceFuzz(_ seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let isText = random.next() & 1 == 0
    let options = unsafe Self.make(isText)
    defer { unsafe moe_options_free(options) }
    let entries = try Self.list(isText)
    for _ in 0..<1000 {
      let entry = try #require(entries.randomElement(using: &random))
      var name = Array(try #require(entry["name"]?.string).utf8)
      var value = Array(try #require(entry["example"]?.string).utf8)
      Self.mutate(&value, &random)
      if random.next() % 8 == 0 { Self.mutate(&name, &random) }
      let result = unsafe Self.set(options, name, value)
      let isRefused = result.status == MOE_ERROR_ARGUMENT && result.message?.isEmpty == false
      let isTaken = result.status == MOE_OK && result.message == nil
      #expect(isRefused || isTaken, "seed \(seed): \(name) \(value) \(result)")
    }
  }

  private static func mutate(_ bytes: inout [UInt8], _ random: inout SeededGenerator) {
    for _ in 0..<random.next() % 4 {
      let byte = UInt8(truncatingIfNeeded: random.next() % 255) + 1
      let index = bytes.isEmpty ? 0 : Int(random.next() % UInt64(bytes.count))
      switch random.next() % 4 {
      case 0: bytes.insert(byte, at: index)
      case 1: if !bytes.isEmpty { bytes.remove(at: index) }
      case 2: bytes += bytes
      default: if !bytes.isEmpty { bytes[index] = byte }
      }
    }
  }
}
