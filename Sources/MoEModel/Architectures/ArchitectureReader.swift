package import MoECore

/// A model file's metadata as an architecture asks for it: keys without the architecture's prefix,
/// values checked, and everything that would change the mathematics but is not supported refused.
package struct ArchitectureReader {
  package let architecture: String
  package let file: String
  private let metadata: any MetadataSource
  private let tensors: [String: TensorDescriptor]

  package init(metadata: any MetadataSource, tensors: [TensorDescriptor]) throws(ModelError) {
    self.metadata = metadata
    file = metadata.sourceName
    self.tensors = Dictionary(
      tensors.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    do {
      architecture = try metadata.requireString("general.architecture")
    } catch {
      throw .metadata(error)
    }
  }

  package func integer(_ key: String, in range: ClosedRange<Int>) throws(ModelError) -> Int {
    do {
      return try metadata.requireInteger("\(architecture).\(key)", in: range)
    } catch {
      throw .metadata(error)
    }
  }

  package func optionalInteger(
    _ key: String, in range: ClosedRange<Int>
  ) throws(ModelError) -> Int? {
    do {
      return try metadata.optionalInteger("\(architecture).\(key)", in: range)
    } catch {
      throw .metadata(error)
    }
  }

  package func optionalNumber(_ key: String) throws(ModelError) -> Double? {
    do {
      return try metadata.optionalFloat("\(architecture).\(key)").map { Double($0) }
    } catch {
      throw .metadata(error)
    }
  }

  package func optionalString(_ key: String) throws(ModelError) -> String? {
    do {
      return try metadata.optionalString("\(architecture).\(key)")
    } catch {
      throw .metadata(error)
    }
  }

  package func optionalFlag(_ key: String) throws(ModelError) -> Bool? {
    do {
      return try metadata.optionalBool("\(architecture).\(key)")
    } catch {
      throw .metadata(error)
    }
  }

  /// A factor or a bound above 0; nil where files give none, or 0 for it.
  func factor(_ key: String) throws(ModelError) -> Float? {
    let number = try optionalNumber(key) ?? 0
    try require(number >= 0, key, "\(number)", "a number above 0")
    return number == 0 ? nil : Float(number)
  }

  package func number(_ key: String) throws(ModelError) -> Double {
    do {
      return Double(try metadata.requireFloat("\(architecture).\(key)"))
    } catch {
      throw .metadata(error)
    }
  }

  /// Refuses a file in which `key` has another value than those that give what we compute anyway.
  package func expect(
    _ key: String, absentOr accepted: [MetadataValue], supported: String
  ) throws(ModelError) {
    let fullKey = "\(architecture).\(key)"
    guard let found = metadata.value(forKey: fullKey) else { return }
    guard accepted.contains(where: { $0.isEquivalent(to: found) }) else {
      throw .unsupportedValue(key: fullKey, found: found.summary, supported: supported, file: file)
    }
  }

  /// Whether the file has a tensor of a layer.
  package func contains(_ name: String, layer: Int) -> Bool {
    contains(TensorTable.prefix(layer: layer) + name)
  }

  /// Whether the file has a tensor.
  func contains(_ name: String) -> Bool { tensors[name] != nil }

  /// The shape of a tensor, filled up with outer axes of 1 to so many; nil where there is none.
  package func optionalShape(of tensor: String, rank: Int) throws(ModelError) -> [Int]? {
    guard let descriptor = tensors[tensor] else { return nil }
    guard let shape = descriptor.shape(rank: rank) else {
      throw .wrongShape(
        tensor: tensor, expected: Array(descriptor.shape.prefix(rank)), found: descriptor.shape,
        file: file)
    }
    return shape
  }

  /// The same of a layer's tensor.
  package func optionalShape(
    of tensor: String, layer: Int, rank: Int
  ) throws(ModelError) -> [Int]? {
    try optionalShape(of: TensorTable.prefix(layer: layer) + tensor, rank: rank)
  }

  /// What a layer has under a key, which files give once for all layers or for each.
  package func optionalInteger(
    _ key: String, layer: Int, in range: ClosedRange<Int>
  ) throws(ModelError) -> Int? {
    do {
      return try metadata.optionalInteger(
        perLayer: "\(architecture).\(key)", layer: layer, count: storedLayerCount(), in: range)
    } catch {
      throw .metadata(error)
    }
  }

  /// What all layers have under a key, those that predict further tokens included.
  func optionalIntegers(
    _ key: String, in range: ClosedRange<Int>
  ) throws(ModelError) -> [Int]? {
    do {
      return try metadata.optionalIntegers(
        perLayer: "\(architecture).\(key)", count: storedLayerCount(), in: range)
    } catch {
      throw .metadata(error)
    }
  }

  /// The same of one layer, for a truth value.
  package func optionalFlag(_ key: String, layer: Int) throws(ModelError) -> Bool? {
    do {
      return try metadata.optionalBools(
        perLayer: "\(architecture).\(key)", count: storedLayerCount())?[layer]
    } catch {
      throw .metadata(error)
    }
  }

  /// Layers that the file has tensors for, those that predict further tokens included.
  func storedLayerCount() throws(MetadataError) -> Int {
    try metadata.requireInteger("\(architecture).block_count", in: 1...4096)
  }

  /// Refuses the file where a value of it is not one that can be run.
  func require(
    _ condition: Bool, _ key: String, _ found: String, _ supported: String
  ) throws(ModelError) {
    guard condition else { throw unsupported(key, found, supported) }
  }

  func unsupported(_ key: String, _ found: String, _ supported: String) -> ModelError {
    .unsupportedValue(
      key: "\(architecture).\(key)", found: found, supported: supported, file: file)
  }

  package func missingTensor(_ name: String) -> ModelError {
    .missingTensor(name: name, architecture: architecture, file: file)
  }
}
