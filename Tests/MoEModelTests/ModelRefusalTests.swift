import Foundation
import MoECore
import MoEKernels
import MoEModel
import MoETestSupport
import Testing

/// Files that would give wrong answers are refused, by the name of what is wrong with them.
@Suite struct ModelRefusalTests {
  static let architectures = ArchitectureRegistry.all.map(\.name)

  /// The error that loading ends with; its text must name the file.
  private func refusal(
    _ model: EditedModel, sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> ModelError {
    let error = #expect(throws: ModelError.self, sourceLocation: sourceLocation) {
      try model.load()
    }
    let found = try #require(error, sourceLocation: sourceLocation)
    #expect(found.description.hasPrefix("edited.gguf"), sourceLocation: sourceLocation)
    return found
  }

  @Test(arguments: architectures) func everyMissingTensorIsNamed(_ architecture: String) throws {
    let whole = try EditedModel(architecture)
    try whole.load()
    #expect(whole.tensors.count > 20)
    let optional = try optionalTensors(whole)
    for (index, tensor) in whole.tensors.enumerated() where !optional.contains(tensor.name) {
      var model = whole
      model.tensors.remove(at: index)
      guard case .missingTensor(tensor.name, architecture, _) = try refusal(model) else {
        Issue.record("\(tensor.name): \(try refusal(model))")
        continue
      }
    }
  }

  /// The names of those that a model may do without.
  private func optionalTensors(_ model: EditedModel) throws -> Set<String> {
    let description = try model.load().0
    let tables =
      [description.endTensors]
      + description.layers.enumerated().map { $1.tensors($0, description) }
    return Set(tables.flatMap(\.rows).filter(\.isOptional).map(\.name))
  }

  @Test(arguments: architectures) func withoutAnOutputMatrixTheEmbeddingServes(
    _ architecture: String
  ) throws {
    var model = try EditedModel(architecture)
    model.tensors.removeAll { $0.name == "output.weight" }
    let tensors = try model.load().1
    #expect(tensors.output == tensors.ends[.embedding])
    #expect(tensors.dense.filter { $0.name == ModelDescription.embeddingName }.count == 1)
  }

  /// Two extents have no number of their own in the metadata, the vocabulary and the width of a
  /// feed-forward part: what must agree with them may be named instead.
  private static func isItsOwnMeasure(_ name: String) -> Bool {
    name == ModelDescription.embeddingName || name.contains(".ffn_up")
  }

  private static func isPartner(_ name: String, of tensor: String) -> Bool {
    if tensor == ModelDescription.embeddingName { return name == "output.weight" }
    guard let kind = tensor.range(of: ".ffn_") else { return false }
    return name.hasPrefix(tensor[..<kind.upperBound])
  }

  @Test(arguments: architectures) func everyWrongShapeIsNamed(_ architecture: String) throws {
    let whole = try EditedModel(architecture)
    for (index, tensor) in whole.tensors.enumerated() {
      var shapes = [tensor.shape + [2], Array(tensor.shape.dropLast())]
      for axis in tensor.shape.indices {
        var shape = tensor.shape
        shape[axis] += 1
        shapes.append(shape)
      }
      if Set(tensor.shape).count > 1 { shapes.append(tensor.shape.reversed()) }
      // Axes of 1 at the end say nothing.
      for shape in shapes where shape + [1] != tensor.shape {
        var model = whole
        model.tensors[index].shape = shape
        model.tensors[index].extent.byteCount =
          tensor.extent.byteCount * shape.reduce(1, *) / tensor.elementCount
        guard case .wrongShape(let name, let expected, let found, _) = try refusal(model) else {
          Issue.record("\(tensor.name) with \(shape): \(try refusal(model))")
          continue
        }
        let isNamed = name == tensor.name && found == shape
        if Self.isItsOwnMeasure(tensor.name) {
          #expect(
            isNamed || Self.isPartner(name, of: tensor.name), "\(tensor.name) with \(shape)")
        } else {
          // The table gives a row of one matrix both its axes.
          let isExpected = expected == tensor.shape || expected == tensor.shape + [1]
          #expect(isNamed && isExpected, "\(tensor.name) with \(shape)")
        }
      }
    }
  }

  @Test(arguments: architectures) func everyUnsupportedFormatIsNamed(
    _ architecture: String
  ) throws {
    let whole = try EditedModel(architecture)
    let unknown = try #require((0...100).first { QuantFormat(ggmlType: $0) == nil })
    for (index, tensor) in whole.tensors.enumerated() {
      for format in [unknown, .max] {
        var model = whole
        model.tensors[index].formatID = format
        let error = try refusal(model)
        guard case .unsupportedFormat(tensor.name, let found, let supported, _) = error else {
          Issue.record("\(tensor.name): \(error)")
          continue
        }
        #expect(found.contains("\(format)") && supported == QuantFormat.all.map(\.name))
      }
    }
  }

  @Test(arguments: architectures) func rowsOfPartialBlocksAreRefused(
    _ architecture: String
  ) throws {
    var model = try EditedModel(architecture)
    let index = try #require(
      model.tensors.firstIndex { $0.name.hasPrefix("blk.1.") && $0.shape.count > 1 })
    let name = model.tensors[index].name
    model.tensors[index].formatID = 12  // Q4_K, blocks of 256 in rows of 64 at most
    guard case .unsupportedFormat(name, let found, _, _) = try refusal(model) else {
      Issue.record("\(try refusal(model))")
      return
    }
    #expect(found.hasPrefix("Q4_K in rows of 64 "))
  }

  @Test(arguments: architectures) func aTensorThatIsNotReadIsRefused(
    _ architecture: String
  ) throws {
    let whole = try EditedModel(architecture)
    let names = [
      "blk.0.attn_q.zero", "blk.1.ffn_gate_lora.weight", "blk.9.attn_norm.weight", "output.zero",
      "tokenizer.table",
    ]
    for name in names {
      var model = whole
      var tensor = whole.tensors[0]
      tensor.name = name
      model.tensors.append(tensor)
      guard case .unexpectedTensor(name, architecture, _) = try refusal(model) else {
        Issue.record("\(name): \(try refusal(model))")
        continue
      }
    }
  }

  @Test(arguments: ["", "mamba", "OLMOE", "qwen3moe "])
  func anUnknownArchitectureListsTheSupportedOnes(_ name: String) throws {
    var model = try EditedModel("olmoe")
    model.changes["general.architecture"] = .string(name)
    guard case .unsupportedArchitecture(name, Self.architectures, _) = try refusal(model) else {
      Issue.record("\(try refusal(model))")
      return
    }
    for known in Self.architectures { #expect(try refusal(model).description.contains(known)) }
  }

  @Test func anArchitectureMustBeNamed() throws {
    var model = try EditedModel("olmoe")
    for value in [nil, .unsigned(3)] as [MetadataValue?] {
      model.changes["general.architecture"] = .some(value)
      guard case .metadata(let error) = try refusal(model) else {
        Issue.record("\(try refusal(model))")
        continue
      }
      #expect(error.key == "general.architecture")
    }
  }
}
