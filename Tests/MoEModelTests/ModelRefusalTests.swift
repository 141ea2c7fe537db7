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
    for (index, tensor) in whole.tensors.enumerated() where tensor.name != TensorName.output {
      var model = whole
      model.tensors.remove(at: index)
      guard case .missingTensor(tensor.name, architecture, _) = try refusal(model) else {
        Issue.record("\(tensor.name): \(try refusal(model))")
        continue
      }
    }
  }

  @Test(arguments: architectures) func withoutAnOutputMatrixTheEmbeddingServes(
    _ architecture: String
  ) throws {
    var model = try EditedModel(architecture)
    model.tensors.removeAll { $0.name == TensorName.output }
    let tensors = try model.load().1
    #expect(tensors.output == tensors.embedding)
    #expect(tensors.dense.filter { $0.name == TensorName.embedding }.count == 1)
  }

  /// Two extents have no number of their own in the metadata: what must agree with them is named.
  private static let partners = [
    TensorName.embedding: TensorName.output,
    TensorName.gateExperts(0): TensorName.upExperts(0),
  ]

  @Test(arguments: architectures) func everyWrongShapeIsNamed(_ architecture: String) throws {
    let whole = try EditedModel(architecture)
    for (index, tensor) in whole.tensors.enumerated() {
      var shapes = [tensor.shape + [1], Array(tensor.shape.dropLast())]
      for axis in tensor.shape.indices {
        var shape = tensor.shape
        shape[axis] += 1
        shapes.append(shape)
      }
      if Set(tensor.shape).count > 1 { shapes.append(tensor.shape.reversed()) }
      for shape in shapes {
        var model = whole
        model.tensors[index].shape = shape
        guard case .wrongShape(let name, let expected, let found, _) = try refusal(model) else {
          Issue.record("\(tensor.name) with \(shape): \(try refusal(model))")
          continue
        }
        let isNamed = name == tensor.name && found == shape
        if let partner = Self.partners[tensor.name] {
          #expect(isNamed || name == partner, "\(tensor.name) with \(shape)")
        } else {
          #expect(isNamed && expected == tensor.shape, "\(tensor.name) with \(shape)")
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
    let index = try #require(model.tensors.firstIndex { $0.name == TensorName.query(1) })
    model.tensors[index].formatID = 12  // Q4_K, blocks of 256 in rows of 64
    guard case .unsupportedFormat(TensorName.query(1), _, _, _) = try refusal(model) else {
      Issue.record("\(try refusal(model))")
      return
    }
  }

  @Test(arguments: architectures) func aTensorThatIsNotReadIsRefused(
    _ architecture: String
  ) throws {
    let whole = try EditedModel(architecture)
    for name in ["blk.0.attn_q.bias", "blk.1.ffn_gate_shexp.weight", "blk.2.attn_norm.weight"] {
      var model = whole
      var tensor = whole.tensors[0]
      tensor.name = name
      model.tensors.append(tensor)
      guard case .unexpectedTensor(name, architecture, _) = try refusal(model) else {
        Issue.record("\(name): \(try refusal(model))")
        continue
      }
    }
    var harmless = whole
    var tensor = whole.tensors[0]
    tensor.name = "tokenizer.table"
    harmless.tensors.append(tensor)
    #expect(throws: Never.self) { try harmless.load() }
  }

  @Test(arguments: ["", "llama", "OLMOE", "qwen3moe "])
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
