package import MoEExperts
import MoECore
import MoEModel

/// Which experts are in memory at a moment, and what has been done with them so far.
package struct ExpertMap: Sendable {
  package struct Layer: Sendable {
    /// The block's number in the model's file.
    package let number: Int
    /// (expert)
    package let isResident: [Bool]
  }

  package let layers: [Layer]
  package let statistics: ExpertStatistics
}

extension Engine {
  /// What the experts are doing, between two steps.
  package func expertMap() async throws(EngineError) -> ExpertMap {
    try await snapshot { decoder in
      let layers = decoder.experts.layout.layers
      return ExpertMap(
        layers: layers.indices.filter { layers[$0].expertCount > 0 }.map { layer in
          ExpertMap.Layer(
            number: layer,
            isResident: (0..<layers[layer].expertCount).map {
              decoder.experts.isResident(layer: layer, expert: $0)
            })
        }, statistics: decoder.experts.statistics)
    }
  }
}
