package import MoECore

/// The routed experts of one block of the model; a dense block has none.
package struct ExpertLayer: Sendable, Hashable {
  /// 0 for a dense block, which takes no slots and is never asked for experts.
  package let expertCount: Int
  /// Experts that one token takes.
  package let expertsPerToken: Int
  /// In the order in which a slot holds them.
  package let parts: [ExpertPart]
  /// How an expert's weights are found in its parts; nil for a dense block.
  let assembly: ExpertAssembly?

  package static let dense = ExpertLayer()

  private init() {
    (expertCount, expertsPerToken, parts, assembly) = (0, 0, [], nil)
  }

  /// - Parameter parts: Each role once: up, alone or with the gate, down, and what else there is.
  package init(expertCount: Int, expertsPerToken: Int, parts: [ExpertPart]) {
    precondition(expertCount > 0 && expertsPerToken > 0 && expertsPerToken <= expertCount)
    precondition(parts.allSatisfy { $0.expertCount == expertCount })
    precondition(Set(parts.map(\.role)).count == parts.count)
    self.expertCount = expertCount
    self.expertsPerToken = expertsPerToken
    self.parts = parts
    assembly = ExpertAssembly(parts)
  }

  /// The parts that rows are multiplied with.
  package var matrices: [ExpertPart] { parts.filter(\.role.isMatrix) }

  package func extent(part: Int, expert: Int) -> FileExtent {
    parts[part].extent(ofExpert: expert)
  }

  /// Bytes of one expert in the file.
  package var storedByteCountPerExpert: Int { parts.reduce(0) { $0 + $1.storedByteCount } }

  /// Pieces that an expert is read in.
  package var readCountPerExpert: Int { parts.reduce(0) { $0 + $1.extentCount } }

  /// Whether something is done with what was read before it is used.
  var hasConversions: Bool { parts.contains { $0.conversion != nil } }

  /// The same experts with parts that differ in format or place alone.
  package func replacing(parts: [ExpertPart]) -> ExpertLayer {
    parts.isEmpty
      ? self : ExpertLayer(expertCount: expertCount, expertsPerToken: expertsPerToken, parts: parts)
  }
}

/// All routed experts of a model, by block of the file: layer 3 is `blk.3`.
package struct ExpertLayout: Sendable {
  package var layers: [ExpertLayer]

  package init(layers: [ExpertLayer]) { self.layers = layers }

  /// The layers that have experts, ascending.
  package var routedLayers: [Int] { layers.indices.filter { layers[$0].expertCount > 0 } }

  package var expertCount: Int { layers.reduce(0) { $0 + $1.expertCount } }

  /// Bytes of all experts in the file.
  package var byteCount: Int {
    layers.reduce(0) { $0 + $1.storedByteCountPerExpert * $1.expertCount }
  }

  /// Bytes of the experts that one token takes, in all layers together.
  package var byteCountPerToken: Int {
    layers.reduce(0) { $0 + $1.storedByteCountPerExpert * $1.expertsPerToken }
  }

  /// The most of any layer: what is sized once for all layers is sized by these.
  package var expertCountMax: Int { layers.map(\.expertCount).max() ?? 0 }
  package var expertsPerTokenMax: Int { layers.map(\.expertsPerToken).max() ?? 0 }
  /// Pieces that the parts of an expert are read in.
  package var partCountMax: Int { layers.map(\.readCountPerExpert).max() ?? 0 }
}
