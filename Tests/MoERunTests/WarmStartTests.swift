import Foundation
import MoETestSupport
import Testing

/// What one run remembers for the next.
@Suite struct WarmStartTests {
  private func generate(
    cache: String, _ more: String...
  ) async throws -> (text: String, experts: Int) {
    let scratch = try Scratch()
    let program = try Program(
      [
        TrainedModel.path, "-p", "Once upon a time", "-n", "16", "--temp", "0", "--expert-pool",
        "50%", "--memory", "64M", "-c", "256", "--stats-json", scratch.url("stats.json").path,
      ] + more, environment: ["XDG_CACHE_HOME": cache])
    let output = try await program.end()
    #expect(output.code == 0, "\(output.errors)")
    let report = try #require(
      try JSONSerialization.jsonObject(with: Data(contentsOf: scratch.url("stats.json")))
        as? [String: Any])
    // What is read beforehand comes into slots that are there anyway.
    #expect(report["fits_budget"] as? Bool == true)
    return (output.text, try #require(report["warm_start_experts"] as? Int))
  }

  private func files(_ cache: String) -> [String] {
    let folder = URL(fileURLWithPath: cache).appendingPathComponent("moe-run").path
    return ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).map {
      folder + "/" + $0
    }
  }

  @Test func theNextRunReadsWhatThisOneUsedMostAndWritesTheSameText() async throws {
    let scratch = try Scratch()
    let cache = scratch.url("cache").path
    let first = try await generate(cache: cache)
    #expect(first.experts == 0)
    let second = try await generate(cache: cache)
    #expect(second.experts > 0 && second.text == first.text)
    // Deleted, it is a first run again.
    for file in files(cache) { try FileManager.default.removeItem(atPath: file) }
    let third = try await generate(cache: cache)
    #expect(third.experts == 0 && third.text == first.text)
  }

  @Test func startingColdNeitherReadsNorWrites() async throws {
    let scratch = try Scratch()
    let cache = scratch.url("cache").path
    let cold = try await generate(cache: cache, "--no-warm-start")
    #expect(cold.experts == 0 && files(cache).isEmpty)
    _ = try await generate(cache: cache)
    let remembered = files(cache)
    #expect(remembered.count == 1)
    let before = try Data(contentsOf: URL(fileURLWithPath: remembered[0]))
    let again = try await generate(cache: cache, "--no-warm-start")
    #expect(again.experts == 0 && again.text == cold.text)
    #expect(try Data(contentsOf: URL(fileURLWithPath: remembered[0])) == before)
  }

  @Test func whatIsDamagedOrCannotBeTrueIsNotUsed() async throws {
    let scratch = try Scratch()
    let cache = scratch.url("cache").path
    let first = try await generate(cache: cache)
    let file = try #require(files(cache).first)
    let text = try String(contentsOfFile: file, encoding: .utf8)
    let damaged = [
      "", "{", String(text.dropLast(9)), text.replacing("\"experts\":[", with: "\"experts\":[7,"),
      text.replacing("\"experts\":[", with: "\"experts\":[0,999,"),
      text.replacing("\"experts\":[", with: "\"experts\":[-1,0,"),
      text.replacing("\"version\":1", with: "\"version\":0"),
    ]
    for contents in damaged {
      try Data(contents.utf8).write(to: URL(fileURLWithPath: file))
      let run = try await generate(cache: cache)
      #expect(run.experts == 0 && run.text == first.text, "\(contents.prefix(80))")
    }
  }

  @Test func aFolderThatCannotBeWrittenToIsNoMatter() async throws {
    let first = try await generate(cache: "/proc/self")
    #expect(first.experts == 0)
  }
}
