/// Values that each layer has its own of. Files write either an array with one element per layer or
/// a single value that holds for all.
extension MetadataSource {
  /// One integer in `range` for each of `count` layers.
  package func integers(
    perLayer key: String, count: Int, in range: ClosedRange<Int> = 0...Int.max
  ) throws(MetadataError) -> [Int] {
    guard let values = try optionalIntegers(perLayer: key, count: count, in: range) else {
      throw missing(key, wanted: wanted("an integer", in: range))
    }
    return values
  }

  /// Nil where the key is absent.
  package func optionalIntegers(
    perLayer key: String, count: Int, in range: ClosedRange<Int> = 0...Int.max
  ) throws(MetadataError) -> [Int]? {
    let wanted = wanted("an integer", in: range)
    return try optionalValues(perLayer: key, count: count, wanted: wanted) { value in
      value.integer.flatMap { range.contains($0) ? $0 : nil }
    }
  }

  /// One layer's integer, in `range`, of those of `count` layers; what others have may lie outside,
  /// as where layers of another kind have 0. Nil where the key is absent.
  package func optionalInteger(
    perLayer key: String, layer: Int, count: Int, in range: ClosedRange<Int> = 0...Int.max
  ) throws(MetadataError) -> Int? {
    let wanted = wanted("an integer", in: range)
    let values = try optionalValues(perLayer: key, count: count, wanted: wanted, \.integer)
    guard let value = values?[layer] else { return nil }
    guard range.contains(value) else {
      throw MetadataError(
        source: sourceName, key: key, wanted: wanted,
        found: storedArray(forKey: key) == nil ? "\(value)" : "\(value) for layer \(layer)")
    }
    return value
  }

  /// One finite number for each of `count` layers.
  package func numbers(
    perLayer key: String, count: Int
  ) throws(MetadataError) -> [Double] {
    guard let values = try optionalNumbers(perLayer: key, count: count) else {
      throw missing(key, wanted: "a number")
    }
    return values
  }

  /// Nil where the key is absent.
  package func optionalNumbers(
    perLayer key: String, count: Int
  ) throws(MetadataError) -> [Double]? {
    try optionalValues(perLayer: key, count: count, wanted: "a finite number") { value in
      value.number.flatMap { $0.isFinite ? $0 : nil }
    }
  }

  /// One truth value for each of `count` layers, such as which of them look at a window alone. Nil
  /// where the key is absent.
  package func optionalBools(perLayer key: String, count: Int) throws(MetadataError) -> [Bool]? {
    try optionalValues(perLayer: key, count: count, wanted: "true or false", \.boolean)
  }

  private func optionalValues<Value>(
    perLayer key: String, count: Int, wanted: String, _ convert: (MetadataValue) -> Value?
  ) throws(MetadataError) -> [Value]? {
    guard let stored = storedArray(forKey: key) else {
      guard let value = value(forKey: key) else { return nil }
      guard let single = convert(value) else { throw mismatch(key, wanted: wanted, found: value) }
      return Array(repeating: single, count: count)
    }
    guard stored.count == count else {
      throw MetadataError(
        source: sourceName, key: key, wanted: "\(wanted) for each of \(count) layers",
        found: stored.summary)
    }
    let array = stored.decoded
    var values: [Value] = []
    for index in 0..<count {
      guard let element = array.scalar(at: index), let value = convert(element) else {
        throw MetadataError(
          source: sourceName, key: key, wanted: "\(wanted) for each layer",
          found: array.scalar(at: index).map { "\($0.summary) for layer \(index)" }
            ?? array.summary)
      }
      values.append(value)
    }
    return values
  }
}
