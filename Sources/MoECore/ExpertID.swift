/// One routed expert of a model: the expert `index` of the layer `layer`, both counted from zero.
///
/// `layer` is the block's index in the model, so dense leading layers keep their numbers.
public struct ExpertID: Hashable, Sendable, Comparable, CustomStringConvertible {
  public var layer: Int
  public var index: Int

  public init(layer: Int, index: Int) {
    self.layer = layer
    self.index = index
  }

  public static func < (left: ExpertID, right: ExpertID) -> Bool {
    (left.layer, left.index) < (right.layer, right.index)
  }

  public var description: String { "layer \(layer) expert \(index)" }
}
