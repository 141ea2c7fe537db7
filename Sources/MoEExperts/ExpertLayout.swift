package import MoECore
package import MoEStore

/// The routed experts of one block of the model; a dense block has none.
package struct ExpertLayer: Sendable, Hashable {
  /// 0 for a dense block, which takes no slots and is never asked for experts.
  package let expertCount: Int
  /// Experts that one token takes.
  package let expertsPerToken: Int
  /// In the order in which a slot holds them.
  package let parts: [ExpertPart]
  /// (expert): where all its parts are once more, in one piece of a bundle; nil where they are read
  /// from the model's own files.
  package let records: [BundleRecord]?
  /// How an expert's weights are found in its parts; nil for a dense block.
  let assembly: ExpertAssembly?

  package static let dense = ExpertLayer()

  private init() {
    (expertCount, expertsPerToken, parts, records, assembly) = (0, 0, [], nil, nil)
  }

  /// - Parameters:
  ///   - parts: Each role once: up, alone or with the gate, down, and what else there is.
  ///   - records: Checked to have the same parts.
  package init(
    expertCount: Int, expertsPerToken: Int, parts: [ExpertPart], records: [BundleRecord]? = nil
  ) {
    precondition(records == nil || records?.count == expertCount)
    precondition(expertCount > 0 && expertsPerToken > 0 && expertsPerToken <= expertCount)
    precondition(parts.allSatisfy { $0.expertCount == expertCount })
    precondition(Set(parts.map(\.role)).count == parts.count)
    self.expertCount = expertCount
    self.expertsPerToken = expertsPerToken
    self.parts = parts
    self.records = records
    assembly = ExpertAssembly(parts)
  }

  /// The parts that rows are multiplied with.
  package var matrices: [ExpertPart] { parts.filter(\.role.isMatrix) }

  package func extent(part: Int, expert: Int) -> FileExtent {
    parts[part].extent(ofExpert: expert)
  }

  /// Bytes of one expert in the file; of experts that differ, the mean.
  package var storedByteCountPerExpert: Int {
    guard let records, !records.isEmpty else { return parts.reduce(0) { $0 + $1.storedByteCount } }
    return records.reduce(0) { $0 + $1.extent.byteCount } / records.count
  }

  /// Bytes of all experts in the file.
  package var storedByteCount: Int {
    records.map { $0.reduce(0) { $0 + $1.extent.byteCount } }
      ?? storedByteCountPerExpert * expertCount
  }

  /// Bytes that products read of an expert; of experts that differ, the mean.
  package var slotByteCountPerExpert: Int {
    guard hasCodedSlots else { return parts.reduce(0) { $0 + $1.slotByteCount } }
    let all = (0..<expertCount).reduce(0) { sum, expert in
      parts.indices.reduce(sum) { $0 + slot(ofPart: $1, expert: expert).byteCount }
    }
    return all / expertCount
  }

  /// Pieces that an expert is read in.
  package var readCountPerExpert: Int {
    records == nil ? parts.reduce(0) { $0 + $1.extentCount } : 1
  }

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
    layers.reduce(0) { $0 + $1.storedByteCount }
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
