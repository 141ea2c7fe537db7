import Foundation
import MoEPlatform
import Testing

@Suite struct ReplacementFileTests {
  private let place: TemporaryPlace

  init() throws { place = try TemporaryPlace() }

  private func permissions(_ path: String) -> UInt32? { FileStatus(path: path)?.permissions }

  /// Whether the folder's file system has files without a name: older overlays, as in containers,
  /// have none.
  private func filesMayLackNames() -> Bool {
    let descriptor = unsafe open(place.url.path, 0o20_000_000 | O_DIRECTORY | O_WRONLY, 0o600)
    if descriptor >= 0 { close(descriptor) }
    return descriptor >= 0
  }

  @Test(arguments: [false, true]) func takesItsPlaceOnlyWhenItIsWhole(hasName: Bool) throws {
    let path = try place.write([9], to: "a")
    let file = try ReplacementFile(path, hasName: hasName)
    try file.write([1, 2].span)
    #expect(FileManager.default.contents(atPath: path) == Data([9]))
    let others = try place.names.filter { $0 != "a" }
    // Nothing that an end of the program could leave behind, where the file system allows it.
    #expect(others.count == (hasName || !filesMayLackNames() ? 1 : 0))
    for other in others { #expect(permissions(place.path(other)) == 0o600) }
    try file.write([3].span)
    try file.commit()
    #expect(FileManager.default.contents(atPath: path) == Data([1, 2, 3]))
    #expect(try place.names == ["a"])
    // Once is enough.
    try file.commit()
    file.discard()
    #expect(try place.names == ["a"])
  }

  @Test func leavesNothingWhereItIsLetGo() throws {
    let path = try place.write([9], to: "a")
    try ReplacementFile(path).write([1].span)
    try ReplacementFile.check(path)
    try ReplacementFile.check(place.path("new"))
    #expect(try place.names == ["a"])
    #expect(FileManager.default.contents(atPath: path) == Data([9]))
  }

  @Test(arguments: [false, true]) func twoAtATimeDoNotMeet(haveNames: Bool) throws {
    let path = place.path("a")
    let files = try (0..<20).map { _ in try ReplacementFile(path, hasName: haveNames) }
    for (index, file) in files.enumerated() {
      try file.write([UInt8](repeating: UInt8(index), count: index + 1).span)
    }
    for (index, file) in files.enumerated().reversed() {
      try file.commit()
      #expect(
        FileManager.default.contents(atPath: path)
          == Data(repeating: UInt8(index), count: index + 1))
    }
    #expect(try place.names == ["a"])
  }

  @Test func aLinkStaysOneAndWhatItPointsToIsReplaced() throws {
    let target = try place.write([9], to: "target")
    let link = place.path("link")
    #expect(unsafe symlink("target", link) == 0)
    try WholeFile.replace(link, with: [5])
    #expect(FileManager.default.contents(atPath: target) == Data([5]))
    let destination = try FileManager.default.destinationOfSymbolicLink(atPath: link)
    #expect(destination == "target")
  }

  @Test func keepsPermissionsAndGivesNewFilesTheUsers() throws {
    let path = try place.write([9], to: "a")
    #expect(unsafe chmod(path, 0o640) == 0)
    try WholeFile.replace(path, with: [1])
    #expect(permissions(path) == 0o640)
    let ordinary = try place.write([9], to: "ordinary")
    try Data([1]).write(to: place.url.appending(path: "x"))
    let new = place.path("new")
    try WholeFile.replace(new, with: [1])
    let plain = place.path("plain")
    close(unsafe open(plain, O_WRONLY | O_CREAT, 0o666))
    #expect(permissions(new) == permissions(plain))
    try WholeFile.replace(ordinary, with: [1], isPrivate: true)
    #expect(permissions(ordinary) == 0o600)
  }

  @Test func takesBackWhatWasWritten() throws {
    let path = place.path("a")
    let file = try ReplacementFile(path)
    try file.write([1, 2, 3, 4].span)
    try file.truncate(to: 2)
    try file.write([5].span)
    try file.commit()
    #expect(FileManager.default.contents(atPath: path) == Data([1, 2, 5]))
  }

  @Test func aFullDiskIsRefusedAtOnce() throws {
    let path = place.path("a")
    let file = try ReplacementFile(path)
    try file.checkRoom(for: 1)
    #expect(throws: FileError.system(path: path, code: ENOSPC)) { try file.checkRoom(for: .max) }
  }

  @Test func refusesPlacesThatAreNoFiles() throws {
    #expect(throws: FileError.notRegular(path: place.url.path, kind: .directory)) {
      _ = try ReplacementFile(place.url.path)
    }
    #expect(throws: FileError.notRegular(path: "/dev/null", kind: .device)) {
      try WholeFile.replace("/dev/null", with: [1])
    }
    let nowhere = place.path("no/such/folder")
    #expect(throws: FileError.system(path: nowhere, code: ENOENT)) {
      _ = try ReplacementFile(nowhere)
    }
    #expect(throws: FileError.impossibleName(path: "")) { _ = try ReplacementFile("") }
  }

  @Test func aNameAsLongAsNamesCanBeIsNoTrouble() throws {
    let path = place.path(String(repeating: "n", count: 255))
    try WholeFile.replace(path, with: [1])
    #expect(FileManager.default.contents(atPath: path) == Data([1]))
  }
}
