import Foundation
import MoERuntime
import Testing

/// What happens to a model's file while an engine runs it, done to real files between two tokens:
/// the same tokens, or an error that stays and says what to do.
@Suite struct EngineFileFaultTests {
  /// Truncation to nothing, to some place among the experts, and by one byte.
  private static let lengths: [@Sendable (Int) -> Int] = [{ _ in 0 }, { $0 / 2 + 1 }, { $0 - 1 }]

  /// Runs until the error that `damage` before token `number` leads to.
  private func failure(
    of run: EngineRun, _ damage: @escaping @Sendable () throws -> Void, before number: Int = 5
  ) async throws -> String {
    do {
      _ = try await run.generate { if $0 == number { try damage() } }
    } catch {
      return "\(error)"
    }
    Issue.record("nothing was noticed")
    return ""
  }

  /// Every later call gives the same error, as an `EngineError` from the public interface.
  private func checkThatItStays(_ error: String, _ run: EngineRun) async throws {
    for _ in 0..<3 {
      let again = await #expect(throws: EngineError.self) { try await run.generate() }
      #expect(again?.description == error)
    }
    let last = await #expect(throws: EngineError.self) { try await run.perplexity() }
    #expect(last?.description == error)
  }

  @Test(arguments: EngineRun.diskStores)
  func aTruncatedFileEndsInAnErrorThatStays(_ store: Store) async throws {
    for length in Self.lengths {
      let model = try ModelFolder()
      let intact = try Data(contentsOf: URL(fileURLWithPath: model.path))
      let run = try await EngineRun.orCancel(model.path, store: store)
      let expected = try await run.generate()
      let error = try await failure(of: run) {
        try model.truncateFile(to: length(intact.count))
      }
      #expect(error.hasPrefix(model.path))
      #expect(error.contains("truncated while running") || error.contains("changed while running"))
      #expect(error.contains("start again"))
      try await checkThatItStays(error, run)
      try intact.write(to: URL(fileURLWithPath: model.path))
      #expect(try await EngineRun(model.path, store: store).generate() == expected)
    }
  }

  @Test(arguments: EngineRun.diskStores)
  func aFileWrittenToInPlaceEndsInAnErrorThatStays(_ store: Store) async throws {
    let model = try ModelFolder()
    let run = try await EngineRun.orCancel(model.path, store: store)
    let error = try await failure(of: run) { try model.overwrite() }
    #expect(error.hasPrefix("\(model.path): the file changed while running"))
    #expect(error.contains("start again"))
    try await checkThatItStays(error, run)
  }

  @Test(arguments: EngineRun.diskStores)
  func aReplacedOrDeletedFileChangesNothing(_ store: Store) async throws {
    let harmless: [@Sendable (ModelFolder) throws -> Void] = [
      { try $0.replace(withSeed: 8) },
      { try FileManager.default.removeItem(atPath: $0.path) },
    ]
    for change in harmless {
      let model = try ModelFolder()
      let run = try await EngineRun.orCancel(model.path, store: store)
      let expected = try await run.generate()
      #expect(try await run.generate { if $0 == 5 { try change(model) } } == expected)
      #expect(try await run.generate() == expected)
    }
  }

  @Test func anEngineThatFailedLeavesOthersAlone() async throws {
    let (bad, good) = (try ModelFolder(), try ModelFolder())
    let failing = try await EngineRun(bad.path)
    let others = [
      try await EngineRun(good.path), try await EngineRun(good.path, store: .pread),
      try await EngineRun(good.path, store: .memory),
    ]
    let expected = try await others[0].generate()
    let error = try await failure(of: failing) { try bad.truncateFile(to: 0) }
    for run in others {
      #expect(try await run.generate() == expected)
      await #expect(throws: EngineError.self) { try await failing.generate() }
    }
    #expect(error.hasPrefix(bad.path))
  }

  @Test func generatingAgainAfterAStopGivesTheSameTokens() async throws {
    let model = try ModelFolder()
    let run = try await EngineRun(model.path)
    let expected = try await run.generate()
    for count in [0, 1, 7] {
      var options = GenerationOptions()
      options.sampling = .greedy
      let generation = run.engine.generate(tokens: EngineRun.prompt, options)
      var tokens: [Int32] = []
      if count == 0 { generation.stop() }
      for try await token in generation {
        tokens.append(token.id)
        if tokens.count == count { break }
      }
      #expect(expected.starts(with: tokens.prefix(EngineRun.tokenCount)))
      #expect(try await run.generate() == expected)
    }
  }

  @Test(arguments: Store.allCases)
  func aMemoryFileSystemGivesTheSameTokens(_ store: Store) async throws {
    let shared = URL(fileURLWithPath: "/dev/shm")
    guard FileManager.default.isWritableFile(atPath: shared.path) else {
      try Test.cancel("no /dev/shm here")
    }
    let (usual, model) = (try ModelFolder(), try ModelFolder(in: shared))
    let expected = try await EngineRun(usual.path).generate()
    do {
      #expect(try await EngineRun(model.path, store: store).generate() == expected)
    } catch let error as EngineError {
      // Before Linux 6.6, tmpfs had no direct reads; a named store then says so.
      #expect(store == .ring || store == .pread)
      #expect(error.description.contains("direct reads"))
    }
  }
}
