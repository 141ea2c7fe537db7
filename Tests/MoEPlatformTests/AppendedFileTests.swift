import Foundation
import MoEPlatform
import Testing

@Suite struct AppendedFileTests {
  private let place: TemporaryPlace

  init() throws { place = try TemporaryPlace() }

  @Test func goesOnBehindWhatIsThere() throws {
    let path = try place.write([1, 2], to: "a")
    let file = try #require(try AppendedFile.open(path))
    #expect(file.identity.byteCount == 2)
    try file.append([3, 4, 5])
    try file.append([])
    try file.synchronize()
    #expect(FileManager.default.contents(atPath: path) == Data([1, 2, 3, 4, 5]))
    #expect(try file.bytes(at: 1, count: 3) == [2, 3, 4])
    #expect(try file.bytes(at: 4, count: 9) == [5])
    #expect(try file.bytes(at: 5, count: 9).isEmpty)
    try file.truncate(to: 1)
    try file.append([7])
    #expect(try file.byteCount() == 2)
    #expect(FileManager.default.contents(atPath: path) == Data([1, 7]))
  }

  @Test func makesWhatIsNotThereAndKeepsOthersOut() throws {
    let path = place.path("new")
    var file = try AppendedFile.open(path)
    #expect(file != nil)
    #expect(try AppendedFile.open(path) == nil)
    file = nil
    #expect(try AppendedFile.open(path) != nil)
  }

  @Test(arguments: ["", "a\0b", "/dev/null", "/", "/nowhere/a"])
  func refusesWhatIsNoFile(_ path: String) {
    #expect(throws: FileError.self) { _ = try AppendedFile.open(path) }
  }
}
