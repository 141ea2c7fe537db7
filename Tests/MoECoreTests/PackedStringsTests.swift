import MoECore
import Testing

@Suite struct PackedStringsTests {
  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func holdWhatWasAppended(_ seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var packed = PackedStrings()
    var plain: [[UInt8]] = []
    if seed % 2 == 0 { packed.reserveCapacity(count: 50, byteCount: 300) }
    for index in 0..<50 {
      let count = Int.random(in: 0...12, using: &generator)
      let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
      plain.append(bytes)
      if index % 2 == 0 { packed.append(bytes[...]) } else { packed.append(bytes) }
    }
    #expect(packed.count == plain.count)
    for (index, bytes) in plain.enumerated() {
      #expect(Array(packed[index]) == bytes, "seed \(seed)")
      #expect(packed.string(at: index) == String(decoding: bytes, as: UTF8.self))
    }
    #expect(packed.bytes == plain.flatMap { $0 })
  }

  @Test func emptyOnesHaveNoStrings() {
    #expect(PackedStrings().count == 0)
    var one = PackedStrings()
    one.append([UInt8]())
    #expect(one.count == 1 && one[0].isEmpty && one != PackedStrings())
  }
}
