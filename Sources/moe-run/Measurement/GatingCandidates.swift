import MoERuntime

/// The settings that are measured where none is named: some of each kind that suits any model, from
/// mild to strong.
enum GatingCandidates {
  /// - Parameters:
  ///   - expertsPerToken: Of the model as it is.
  ///   - layerCount: Of the model.
  static func texts(expertsPerToken: Int, layerCount: Int) -> [String] {
    var texts: [String] = []
    for share in [0.75, 0.5, 0.25] {
      texts.append("top-k:\(max(1, Int((share * Double(expertsPerToken)).rounded())))")
    }
    if layerCount >= 3 && expertsPerToken >= 2 {
      let (most, half) = (expertsPerToken, max(1, expertsPerToken / 2))
      let (middle, mean) = (layerCount / 2, (most + half + 1) / 2)
      texts += [
        "schedule:\(most),\(mean),\(half),\(middle)", "schedule:\(half),\(mean),\(most),\(middle)",
        "schedule:\(half),\(most),\(half),\(middle)", "schedule:\(most),\(half),\(most),\(middle)",
      ]
    }
    texts += ["top-p:0.9", "top-p:0.7", "top-p:0.5"]
    texts += ["threshold:0.1", "threshold:0.2", "threshold:0.4"]
    texts += ["cache-prior:0.1", "cache-prior:0.3", "cache-prior:0.6"]
    texts += ["miss-skip:0.9", "miss-skip:0.75", "miss-skip:0.6"]
    var known: Set<String> = ["top-k:\(expertsPerToken)"]
    return texts.filter { known.insert($0).inserted }
  }

  static func all(expertsPerToken: Int, layerCount: Int) throws -> [GatingSpecification] {
    try texts(expertsPerToken: expertsPerToken, layerCount: layerCount).map {
      try GatingSpecification(parsing: $0)
    }
  }
}
