import Foundation
import Glibc
import MoETestSupport
import Testing

/// `moe-run pack` and what follows from it, as users meet it.
@Suite struct PackTests {
  private let scratch: Scratch
  private let model: String
  private let bundle: String

  init() throws {
    scratch = try Scratch()
    model = scratch.url("model.gguf").path
    bundle = scratch.url("model.moebundle").path
    try FileManager.default.copyItem(atPath: TrainedModel.path, toPath: model)
    unsafe chmod(model, 0o644)
  }

  private func pack(_ more: String...) async throws -> Program.Output {
    try await Program(["pack", model] + more).end()
  }

  private func text(_ more: String...) async throws -> Program.Output {
    try await Program(
      [
        model, "-p", "Once upon a time", "-n", "24", "--temp", "0", "--expert-pool", "30%",
        "--no-warm-start",
      ] + more
    ).end()
  }

  private func bytes(_ path: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: path))
  }

  @Test(arguments: ["none", "zstd"])
  func aBundleBesideTheModelIsUsedAndChangesNoText(_ codec: String) async throws {
    let before = try await text()
    let packed = try await pack("--codec", codec, "--force")
    #expect(packed.code == 0, "\(packed.errors)")
    #expect(packed.text.contains("wrote \(bundle): 128 experts"))
    let after = try await text()
    #expect(after.code == 0 && after.text == before.text && !before.text.isEmpty)
    let (plan, plain) = (
      try await Program.run("plan", model, "--probe", "none", "--json").json(),
      try await Program.run("plan", model, "--probe", "none", "--json", "--no-bundle").json()
    )
    #expect((plan["bundle"] as? String)?.contains(codec) == true && plain["bundle"] == nil)
    let inspected = try await Program.run("inspect", model)
    #expect(inspected.text.contains("bundle    \(bundle), \(codec)"))
    let checked = try await Program.run("bundle", "verify", bundle, "-m", model)
    #expect(checked.code == 0 && checked.text.contains("all 128 experts are sound and equal"))
    let info = try await Program.run("bundle", "info", bundle)
    #expect(info.code == 0 && info.text.contains("128 in 4 layers") && info.text.contains(codec))
  }

  /// Quants are random already: a bundle of them would be no smaller.
  @Test func whatGainsNothingIsNotPacked() async throws {
    let output = try await pack("--codec", "zstd")
    #expect(output.code == 0 && output.text.contains("not packed"), "\(output.errors)")
    #expect(!FileManager.default.fileExists(atPath: bundle))
    #expect(scratch.names == ["model.gguf"])
  }

  /// The same bytes as without interruption, wherever the program was killed.
  @Test func whatWasKilledIsGoneOnWith() async throws {
    #expect(try await pack("--codec", "zstd", "--force").code == 0)
    let whole = try bytes(bundle)
    try FileManager.default.removeItem(atPath: bundle)
    for cut in [0, 1, 4095, 40_000, whole.count / 2, whole.count - 1] {
      // What a killed run leaves: a beginning, with a draft where the table will be.
      let program = try Program(["pack", model, "--codec", "zstd", "--force"])
      usleep(useconds_t(2000 + cut % 50_000))
      kill(program.process.processIdentifier, SIGKILL)
      _ = try await program.end()
      let part = bundle + ".part"
      if FileManager.default.fileExists(atPath: part) { _ = unsafe truncate(part, cut) }
      #expect(!FileManager.default.fileExists(atPath: bundle) || cut > 0)
      let again = try await pack("--codec", "zstd", "--force")
      #expect(again.code == 0, "\(again.errors)")
      #expect(try bytes(bundle) == whole, "cut at \(cut)")
      #expect(!FileManager.default.fileExists(atPath: part))
      try FileManager.default.removeItem(atPath: bundle)
    }
  }

  /// What is left of another codec's packing is not taken over.
  @Test func anotherCodecBeginsAnew() async throws {
    #expect(try await pack("--codec", "zstd", "--force").code == 0)
    let coded = try bytes(bundle)
    #expect(try await pack("--codec", "none").code == 0)
    #expect(try bytes(bundle) != coded)
    #expect(try await pack("--codec", "zstd", "--force").code == 0)
    #expect(try bytes(bundle) == coded)
  }

  @Test func twoPackersDoNotWriteTheSameFile() async throws {
    let descriptor = unsafe open(bundle + ".part", O_RDWR | O_CREAT, 0o600)
    #expect(descriptor >= 0 && flock(descriptor, LOCK_EX) == 0)
    let output = try await pack("--codec", "none")
    #expect(output.code == 1 && output.errors.contains("another program is writing this file"))
    close(descriptor)
    #expect(try await pack("--codec", "none").code == 0)
  }

  /// Ternary experts are another model's: used where they are asked for, and named.
  @Test(arguments: ["ternary", "qmoe"])
  func ternaryExpertsAreUsedWhereTheyAreAskedFor(_ codec: String) async throws {
    let path = scratch.url("model-ternary.moebundle").path
    let packed = try await pack("--quantize", "ternary", "--method", "rtn", "--codec", codec)
    #expect(packed.code == 0, "\(packed.errors)")
    #expect(packed.text.contains("wrote \(path): 128 experts") && packed.text.contains("bits a"))
    #expect(packed.text.contains("of the weights are 0"))
    let (before, after) = (try await text(), try await text("--bundle", path))
    #expect(after.code == 0 && after.text != before.text && !after.text.isEmpty)
    let plan = try await Program.run("plan", model, "--probe", "fresh", "--bundle", path)
    #expect(plan.code == 0, "\(plan.errors)")
    #expect(plan.text.contains("bundle    \(path), ") && plan.text.contains(codec))
    #expect(plan.text.contains("answers are others"))
    let info = try await Program.run("bundle", "info", path)
    #expect(info.text.contains("TERNARY") && info.text.contains("answers are others"))
    let checked = try await Program.run("bundle", "verify", path, "-m", model)
    #expect(checked.code == 0 && checked.text.contains("all 128 experts are sound"))
    // The same from the same.
    let whole = try bytes(path)
    #expect(
      try await pack("--quantize", "ternary", "--method", "rtn", "--codec", codec).code == 0)
    #expect(try bytes(path) == whole)
  }

  /// By GPTQ results lose less on the calibration text than by rounding to the nearest values.
  @Test func gptqLosesLess() async throws {
    let output = try await pack(
      "--quantize", "ternary", "--calibration-tokens", "600", "--codec", "qmoe")
    #expect(output.code == 0, "\(output.errors)")
    let line = try #require(output.text.split(separator: "\n").first { $0.contains("lose") })
    let numbers = line.split(separator: " ").compactMap { Double($0) }
    #expect(numbers.count == 2 && numbers[0] < 0.8 * numbers[1], "\(line)")
  }

  @Test(arguments: [
    (["--codec", "qmoe"], "add --quantize ternary"),
    (["--codec", "zstd", "--quantize", "ternary"], "keeps no ternary weights"),
    (["--quantize", "ternary", "--attention", "q4_0"], "leave out --dense and --attention"),
    (["--quantize", "ternary", "--low", "q2_k"], "leave out --quantize"),
  ])
  func choicesThatDoNotGoTogetherAreRefused(_ flags: [String], _ why: String) async throws {
    let output = try await Program(["pack", model] + flags).end()
    #expect(output.code == 64 && output.errors.contains(why), "\(output.errors)")
  }

  /// A bit that flips on the disk is an error that names its expert, never another text.
  @Test(arguments: ["none", "zstd"])
  func aFlippedBitIsNoticedWhileRunning(_ codec: String) async throws {
    #expect(try await pack("--codec", codec, "--force").code == 0)
    var data = try bytes(bundle)
    // In the middle of every record: whichever the text needs is damaged.
    for offset in stride(from: 16 << 10, to: data.count, by: 8 << 10) { data[offset] ^= 4 }
    try data.write(to: URL(fileURLWithPath: bundle))
    let output = try await text()
    #expect(output.code == 1 && output.text.isEmpty)
    #expect(output.errors.contains("of layer") && output.errors.contains("is damaged"))
    let checked = try await Program.run("bundle", "verify", bundle)
    #expect(checked.code == 1 && checked.errors.contains("is damaged"))
    // The model itself is none the worse.
    #expect(try await text("--no-bundle").code == 0)
  }

  @Test func bundlesOfOtherModelsAndOddFilesAreRefusedByName() async throws {
    #expect(try await pack("--codec", "none").code == 0)
    var data = try bytes(model)
    data[data.count - 100_000] ^= 1
    data[500_000] ^= 1
    try data.write(to: URL(fileURLWithPath: model))
    let other = try await text()
    #expect(other.code == 1 && other.errors.contains("was packed from another model"))
    let inspected = try await Program.run("inspect", model)
    #expect(inspected.code == 0 && inspected.text.contains("bundle    not to be used"))
    for (name, content, wanted) in [
      ("empty.moebundle", Data(), "is no bundle"), ("other.moebundle", data, "is no bundle"),
      ("cut.moebundle", try bytes(bundle).prefix(3000), "should have"),
      ("short.moebundle", try bytes(bundle).dropLast(5000), "should have"),
    ] {
      let path = try scratch.write(content, to: name)
      let output = try await text("--bundle", path)
      #expect(output.code == 1 && output.errors.contains(wanted), "\(name): \(output.errors)")
      #expect(output.errors.split(separator: "\n").count == 1)
    }
    let both = try await text("--bundle", bundle, "--no-bundle")
    #expect(both.code == 64)
    let mirrored = try await text("--bundle", bundle, "--mirror", model)
    #expect(mirrored.code == 1 && mirrored.errors.contains("without copies"))
  }

  @Test func memoryAndLayersAreChecked() async throws {
    let small = try await pack("--codec", "none", "--memory", "10M")
    #expect(small.code == 1 && small.errors.contains("give at least"))
    let unmeasured = try await pack("--codec", "zstd", "--memory", "300M")
    #expect(unmeasured.code == 0 && unmeasured.text.contains("speed     not predicted"))
    #expect(unmeasured.text.contains("not packed"))
    let layers = try await pack("--codec", "none", "--layers", "7-9")
    #expect(layers.code == 1 && layers.errors.contains("have no experts"))
    let odd = try await pack("--layers", "3-1")
    #expect(odd.code == 64 && odd.errors.contains("first and the last layer"))
    let some = try await pack("--codec", "none", "--layers", "1-2")
    #expect(some.code == 0 && some.text.contains("64 experts"))
  }

  /// A full disk ends in a sentence before the work, and leaves no bundle.
  @Test func aDiskWithoutRoomIsRefusedBeforehand() async throws {
    guard let disk = try? SmallDisk(mebibytes: 4) else { return }
    let path = disk.url.appending(path: "out.moebundle").path
    let output = try await pack("--codec", "none", "-o", path)
    #expect(output.code == 1 && output.errors.contains("No space left on device"))
    #expect(!FileManager.default.fileExists(atPath: path))
  }
}

/// A file system in memory of a few MiB; not everybody may make one.
final class SmallDisk {
  struct Refused: Error {}
  let url = FileManager.default.temporaryDirectory.appending(path: "moe-disk-\(UUID())")

  init(mebibytes: Int) throws {
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    guard unsafe mount("none", url.path, "tmpfs", 0, "size=\(mebibytes)m") == 0 else {
      try? FileManager.default.removeItem(at: url)
      throw Refused()
    }
  }

  deinit {
    unsafe umount(url.path)
    try? FileManager.default.removeItem(at: url)
  }
}
