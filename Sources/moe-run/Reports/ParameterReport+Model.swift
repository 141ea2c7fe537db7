import MoEAnalysis
import MoECore
import MoEReport
import MoERuntime

extension ParameterReport {
  init(_ model: ModelInspection) {
    var (total, dense, routed, output) = (0.0, 0.0, 0.0, 0.0)
    let outputName = Self.outputName(model)
    let layerCount = Self.layerCount(model)
    for tensor in model.tensors where !Self.isOfIntegers(tensor) {
      // Shapes come from a file that nobody has to be able to load.
      let count = tensor.shape.reduce(1.0) { $0 * Double(max(0, $1)) }
      total += count
      let parts = tensor.name.split(separator: ".")
      if parts.first == "blk", let layer = Int(parts.dropFirst().first ?? ""),
        layer >= layerCount ?? .max
      {
        continue
      }
      if tensor.name == outputName {
        output += count
      } else if Self.isOfAnExpert(parts) {
        routed += count
      } else if !Self.lookUpTables.contains(where: { tensor.name.hasSuffix($0) }) {
        dense += count
      }
    }
    let counts = model.experts.map { Set($0.layers.map(\.expertCount)) } ?? []
    let perToken = model.experts?.expertsPerToken ?? 0
    guard let experts = counts.max(), perToken > 0, perToken <= experts else {
      self.init(
        total: Self.whole(total), active: model.experts == nil ? Self.whole(dense + output) : nil,
        worth: nil)
      return
    }
    let used = dense + routed * Double(perToken) / Double(experts)
    // The law counts no output matrix.
    let worth = EffectiveParameters(
      activeCount: Self.whole(used), expertCount: experts, expertsPerToken: perToken)
    self.init(total: Self.whole(total), active: Self.whole(used + output), worth: worth)
  }

  /// What names of tensors end with of which a token reads a row: of the vocabulary, and by layer.
  private static let lookUpTables = ["token_embd.weight"]

  /// Tables of numbers of experts, for example, are no parameters.
  private static func isOfIntegers(_ tensor: ModelInspection.Tensor) -> Bool {
    ["I8", "I16", "I32", "I64"].contains(tensor.format)
  }

  /// The embedding where there is no output matrix of its own.
  private static func outputName(_ model: ModelInspection) -> String {
    let name = "output.weight"
    return model.tensors.contains { $0.name == name } ? name : "token_embd.weight"
  }

  /// Layers that the next token passes through; nil where the file does not say.
  private static func layerCount(_ model: ModelInspection) -> Int? {
    func integer(_ key: String) -> Int? {
      let name = "\(model.architecture ?? "").\(key)"
      return model.metadata.first { $0.key == name }?.value.integer
    }
    guard let all = integer("block_count") else { return nil }
    return all - min(max(0, integer("nextn_predict_layers") ?? 0), max(0, all))
  }

  /// Whether a tensor has a part of each expert, or of one: a scale is the router's.
  private static func isOfAnExpert(_ parts: [Substring]) -> Bool {
    guard parts.count >= 4, parts[2].hasPrefix("ffn_") else { return false }
    return Int(parts[3]) != nil || (parts[2].hasSuffix("_exps") && parts[3] != "scale")
  }

  private static func whole(_ count: Double) -> Int { Int(min(count.rounded(), 1e18)) }
}
