import Foundation
import MoECore
import MoEStore
import Testing

/// How `automatic` chooses, and what it says.
@Suite struct BackendSelectionTests {
  private static func refusing(_ name: String) -> BackendEntry {
    BackendEntry(name: name, summary: "Never works.", isAutomatic: true) {
      (_, _) throws(StoreError) in
      throw .backendUnavailable(name: name, reason: .threads(code: EAGAIN))
    }
  }

  private static let memory = BackendRegistry.all.first { $0.name == "memory" }

  @Test func triesTheRegistryInOrderAndKeepsTheReasons() throws {
    let files = try TemporaryFiles([[1, 2, 3]])
    var registry = [Self.refusing("first"), Self.refusing("second")]
    registry += BackendRegistry.all.filter { $0.name == "buffered" }
    let selection = try BackendSelection(
      .automatic, for: OpenFiles(files.files), depth: 4, registry: registry)
    #expect(selection.backend.name == "buffered")
    #expect(
      selection.skipped == [
        SkippedBackend(name: "first", reason: .threads(code: EAGAIN)),
        SkippedBackend(name: "second", reason: .threads(code: EAGAIN)),
      ])
    let reader = try ExtentReader(selection, files: files.files, limits: ExtentReader.Limits())
    let why = "not taken: cannot start a thread: Resource temporarily unavailable"
    #expect(reader.report.hasSuffix("first \(why); second \(why)"))
  }

  @Test func doesNotChooseBackendsMeantForTests() throws {
    let files = try TemporaryFiles([[1]])
    let registry = [try #require(Self.memory), Self.refusing("only")]
    #expect(
      throws: StoreError.backendUnavailable(
        name: "automatic",
        reason: .noneWorks([SkippedBackend(name: "only", reason: .threads(code: EAGAIN))]))
    ) {
      _ = try BackendSelection(
        .automatic, for: OpenFiles(files.files), depth: 4, registry: registry)
    }
  }

  @Test func namesTheBackendsThereAre() throws {
    let files = try TemporaryFiles([[1]])
    let error = #expect(throws: StoreError.self) {
      _ = try ExtentReader(files: files.files, backend: .named("floppy"))
    }
    #expect(
      error
        == .unknownBackend(
          name: "floppy", known: ["ring", "pread", "buffered", "memory"]))
    #expect(error?.description.contains("there are: ring, pread") == true)
  }

  @Test func everyEntryHasADescriptionAndItsBackendItsName() throws {
    let files = try TemporaryFiles([[1, 2, 3]])
    for entry in BackendRegistry.all {
      #expect(entry.summary.hasSuffix("."))
      // One that cannot work here has said so in the conformance suite.
      guard let backend = try? entry.make(OpenFiles(files.files), 3) else { continue }
      #expect(backend.name == entry.name)
      #expect(backend.depth == 3)
      #expect(backend.alignment.nonzeroBitCount == 1)
    }
    #expect(Set(BackendRegistry.all.map(\.name)).count == BackendRegistry.all.count)
  }
}
