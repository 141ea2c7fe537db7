import Foundation
import MoECore
import MoEFormats
import MoESynthetic
import MoETestSupport
import Testing

/// GGUF files that hold something else than a model say what it is.
@Suite struct GGUFContentTests {
  private func file(
    _ metadata: [(key: String, value: GGUFValue)], tensorCount: Int = 1
  ) throws -> GGUFFile {
    try withTemporaryFolder { folder in
      var writer = GGUFWriter()
      writer.metadata = metadata
      writer.tensors = (0..<tensorCount).map {
        GGUFWriter.Tensor("tensor.\($0)", .f32, [1], bytes: [0, 0, 0, 0])
      }
      let url = folder.appending(path: "file.gguf")
      try writer.write(to: url)
      return try GGUFFile(path: url.path)
    }
  }

  private static let others: [(what: String, key: String, value: GGUFValue)] = [
    ("an adapter", "general.type", .string("adapter")),
    ("an adapter", "adapter.type", .string("lora")),
    ("a projector", "general.type", .string("mmproj")),
    ("a projector", "general.architecture", .string("clip")),
    ("an importance matrix", "general.type", .string("imatrix")),
    ("an importance matrix", "imatrix.datasets", .strings(["calibration.txt"])),
    ("a control vector", "general.architecture", .string("controlvector")),
    ("a control vector", "controlvector.model_hint", .string("llama")),
    ("a vocabulary", "general.type", .string("vocab")),
    ("a file of the type \"new\\u{1b}kind\"", "general.type", .string("new\u{1B}kind")),
  ]

  @Test(arguments: others.indices) func `what is no model is named`(_ index: Int) throws {
    let (what, key, value) = Self.others[index]
    let architecture = (key: "general.architecture", value: GGUFValue.string("llama"))
    let others = key == architecture.key ? [] : [architecture]
    let file = try file(others + [(key, value)])
    let error = #expect(throws: FormatError.self) { try file.requireModel() }
    #expect(error?.kind == .notModel)
    #expect(error?.found.hasPrefix(what) == true, "\(String(describing: error))")
    #expect(error?.advice == "give the path of the model itself")
  }

  @Test func `a file without tensors is a vocabulary`() throws {
    let file = try file([("general.architecture", .string("llama"))], tensorCount: 0)
    let error = #expect(throws: FormatError.self) { try file.requireModel() }
    #expect(error?.found == "a vocabulary without weights")
  }

  @Test func `a model is one with and without its type`() throws {
    for type in [[], [(key: "general.type", value: GGUFValue.string("model"))]] {
      try file([("general.architecture", .string("llama"))] + type).requireModel()
    }
  }
}
