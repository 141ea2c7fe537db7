import Foundation
import MoERuntime
import MoETestSupport
import Testing

/// A disk that really breaks while engines run from it.
@Suite struct EngineDiskErrorTests {
  @Test(arguments: EngineRun.diskStores)
  func aBrokenDiskEndsInAnErrorThatStays(_ store: Store) async throws {
    let elsewhere = try ModelFolder()
    let disk = try LoopDisk.make(byteCount: 8 << 20)
    let model = try ModelFolder(in: disk.directory)
    let run = try await EngineRun.orCancel(model.path, store: store)
    let other = try await EngineRun(elsewhere.path, store: store)
    let expected = try await other.generate()
    #expect(try await run.generate() == expected)
    let error = await #expect(throws: (any Error).self) {
      try await run.generate { if $0 == 5 { try disk.breakDisk(behind: 4096) } }
    }
    let text = error.map { "\($0)" } ?? ""
    #expect(text.hasPrefix("\(model.path): reading "))
    #expect(text.contains("Input/output error") && text.contains("check the system's log"))
    for _ in 0..<2 {
      let again = await #expect(throws: EngineError.self) { try await run.generate() }
      #expect(again?.description == text)
    }
    #expect(try await other.generate() == expected)
    // The header cannot be read either any more, and loading says so.
    let refusal = await #expect(throws: EngineError.self) { _ = try await EngineRun(model.path) }
    #expect(refusal?.description.contains(model.path) == true)
  }
}
