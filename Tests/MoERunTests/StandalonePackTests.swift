import Foundation
import MoETestSupport
import Testing

/// `moe-run pack --standalone`, `--trace` and `bundle unpack`, as users meet them.
@Suite struct StandalonePackTests {
  private let scratch: Scratch
  private let model: String
  private let bundle: String
  private let original: Data

  init() throws {
    scratch = try Scratch()
    model = scratch.url("model.gguf").path
    bundle = scratch.url("whole.moebundle").path
    original = try Data(contentsOf: URL(fileURLWithPath: TrainedModel.path))
    try original.write(to: URL(fileURLWithPath: model))
  }

  private func pack(_ more: String...) async throws -> Program.Output {
    try await Program(["pack", model] + more).end()
  }

  private func text(of path: String, _ more: String...) async throws -> Program.Output {
    try await Program(
      [
        path, "-p", "Once upon a time", "-n", "24", "--temp", "0", "--expert-pool", "30%",
        "--no-warm-start",
      ] + more
    ).end()
  }

  @Test func theModelsFileMayGo() async throws {
    let before = try await text(of: model)
    let packed = try await pack("--standalone", "--codec", "zstd", "--force", "-o", bundle)
    #expect(packed.code == 0, "\(packed.errors)")
    #expect(packed.text.contains("128 experts and the rest of the model"))
    let checked = try await Program.run("bundle", "verify", bundle, "-m", model)
    #expect(checked.code == 0 && checked.text.contains("the rest of the model are sound and equal"))
    try FileManager.default.removeItem(atPath: model)
    let after = try await text(of: bundle)
    #expect(after.code == 0 && after.text == before.text && !before.text.isEmpty)
    let plan = try await Program.run("plan", bundle, "--probe", "none", "--json").json()
    #expect((plan["bundle"] as? String)?.contains("zstd") == true)
    let inspected = try await Program.run("inspect", bundle, "--check")
    #expect(inspected.code == 0 && inspected.text.contains("in a bundle"))
    #expect(inspected.text.contains("but for those in records"))
    let info = try await Program.run("bundle", "info", bundle)
    #expect(info.text.contains("all in the bundle") && info.text.contains("of their numbers"))
    let out = scratch.url("out.gguf").path
    let unpacked = try await Program.run("bundle", "unpack", bundle, "-o", out)
    #expect(unpacked.code == 0 && unpacked.text.contains("wrote \(out)"), "\(unpacked.errors)")
    #expect(try Data(contentsOf: URL(fileURLWithPath: out)) == original)
    #expect(scratch.names.sorted() == ["out.gguf", "whole.moebundle"])
  }

  @Test func aBundleBesideItsModelIsUnpackedWithIt() async throws {
    #expect(try await pack("--codec", "none").code == 0)
    let beside = scratch.url("model.moebundle").path
    let out = scratch.url("out.gguf").path
    #expect(try await Program.run("bundle", "unpack", beside, "-o", out).code == 0)
    #expect(try Data(contentsOf: URL(fileURLWithPath: out)) == original)
    let again = try await Program.run("bundle", "unpack", beside, "-m", model, "-o", out)
    #expect(again.code == 1 && again.errors.contains("is there already"))
    let forced = try await Program.run("bundle", "unpack", beside, "-o", out, "--force")
    #expect(forced.code == 0)
    try FileManager.default.removeItem(atPath: model)
    let alone = try await Program.run("bundle", "unpack", beside, "-o", out, "--force")
    #expect(alone.code == 1 && alone.errors.contains("model.gguf"))
    #expect(try Data(contentsOf: URL(fileURLWithPath: out)) == original)
    let run = try await text(of: beside)
    #expect(run.code == 1 && run.errors.contains("pack it with --standalone"))
  }

  /// A bundle with all of a model may also stand beside it.
  @Test func bothWaysGiveTheSameText() async throws {
    let before = try await text(of: model, "--no-bundle")
    #expect(try await pack("--standalone", "--codec", "none").code == 0)
    let beside = scratch.url("model.moebundle").path
    #expect(try await text(of: model).text == before.text)
    #expect(try await text(of: beside, "--no-bundle").text == before.text)
    let both = try await text(of: beside, "--bundle", beside)
    #expect(both.code == 1 && both.errors.contains("left out for a model"))
    let packed = try await Program.run("pack", beside)
    #expect(packed.code == 1 && packed.errors.contains("is a bundle already"))
  }

  /// What is missing of a download reads as zeros, and would be weights like any others.
  @Test func anIncompleteModelIsNotPacked() async throws {
    let file = try FileHandle(forWritingTo: URL(fileURLWithPath: model))
    try file.truncate(atOffset: UInt64(original.count / 2))
    try file.truncate(atOffset: UInt64(original.count))
    try file.close()
    let output = try await pack("--standalone", "--codec", "none", "-o", bundle)
    #expect(output.code == 1 && output.errors.contains("a hole inside the tensor"))
    #expect(scratch.names == ["model.gguf"])
  }

  /// A full disk ends in a sentence before the work, and leaves nothing.
  @Test func aDiskWithoutRoomIsRefusedBeforehand() async throws {
    guard let disk = try? SmallDisk(mebibytes: 7) else { return }
    let packed = disk.url.appending(path: "out.moebundle").path
    let whole = try await pack("--standalone", "--codec", "none", "-o", packed)
    #expect(whole.code == 1 && whole.errors.contains("No space left on device"))
    #expect(!FileManager.default.fileExists(atPath: packed))
    #expect(try await pack("--standalone", "--codec", "none", "-o", bundle).code == 0)
    let out = disk.url.appending(path: "out.gguf").path
    let unpacked = try await Program.run("bundle", "unpack", bundle, "-o", out)
    #expect(unpacked.code == 1 && unpacked.errors.contains("No space left on device"))
    #expect(!FileManager.default.fileExists(atPath: out))
  }

  @Test func aTraceGivesTheOrder() async throws {
    let trace = TraceTests.committed
    let packed = try await pack("--codec", "none", "--trace", trace)
    #expect(packed.code == 0 && packed.text.contains("order     by co-use"), "\(packed.errors)")
    let path = scratch.url("model.moebundle").path
    let info = try await Program.run("bundle", "info", path)
    #expect(info.text.contains("in an order by co-use"))
    let first = try Data(contentsOf: URL(fileURLWithPath: path))
    let before = try await text(of: model, "--no-bundle")
    #expect(try await text(of: model).text == before.text)
    #expect(try await pack("--codec", "none", "--trace", trace).code == 0)
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == first)
    let stats = try await Program.run("trace", "stats", trace)
    #expect(stats.text.contains("by co-use in the other half"))
    let odd = try await pack("--trace", model)
    #expect(odd.code == 1 && odd.errors.contains("cannot be used as a routing trace"))
    let mixed = try await pack("--trace", trace, "--quantize", "q4_0", "-o", bundle)
    #expect(mixed.code == 64 && mixed.errors.contains("for bundles"))
  }
}
