internal import MoECore
import MoEPlatform

/// One file of a model, which may be its only one.
///
/// A split model's files are named `NAME-00001-of-00003.gguf`; their metadata gives the number of
/// each (`split.no`, from zero), of all (`split.count`) and of all tensors (`split.tensors.count`).
struct Shard {
  let path: String
  let identity: FileIdentity
  private(set) var header: GGUFHeader

  /// `headerByteCountMax` is what the headers of other shards have left of the bound for all.
  init(
    path: String, headerByteCountMax: Int = ByteReader.headerByteCountMax
  ) throws(FormatError) {
    let file = try HeaderFile(path: path)
    try self.init(file, identity: file.identity, headerByteCountMax: headerByteCountMax)
  }

  /// - Parameter identity: Of the file in which the bytes are.
  private init(
    _ source: some ByteSource, identity: FileIdentity, headerByteCountMax: Int
  ) throws(FormatError) {
    path = source.path
    self.identity = identity
    header = try GGUFHeader(source, byteCountMax: headerByteCountMax)
  }

  /// Every shard of a model whose files' bytes are given in order.
  static func all(
    _ sources: [some ByteSource], identity: FileIdentity
  ) throws(FormatError) -> [Shard] {
    var shards: [Shard] = []
    var bytesLeft = ByteReader.headerByteCountMax
    for source in sources {
      let shard = try Shard(source, identity: identity, headerByteCountMax: bytesLeft)
      bytesLeft -= shard.header.byteCount
      guard sources.count > 1 else { return [shard] }
      try append(shard, to: &shards, count: sources.count)
    }
    try checkTensorCount(shards)
    return shards
  }

  /// Every shard of the model that the file at `path` belongs to, in order; at least one.
  static func openAll(path: String) throws(FormatError) -> [Shard] {
    let named = try Shard(path: path)
    let count = try named.integer("split.count") ?? 1
    guard count > 1 else { return [named] }
    guard let name = shardName(path: path, count: count) else {
      throw FormatError(
        .shards, path: path, subject: "one of \(count) shards",
        wanted: "a name that ends in -00001-of-\(ShardName.fiveDigits(count)).gguf",
        found: "another", advice: "give the shards the names under which they were published")
    }
    var shards: [Shard] = []
    var bytesLeft = ByteReader.headerByteCountMax - named.header.byteCount
    for number in 1...count {
      var shard = named
      if number != name.number {
        shard = try sibling(name.path(number: number), headerByteCountMax: bytesLeft)
        bytesLeft -= shard.header.byteCount
      }
      try append(shard, to: &shards, count: count)
    }
    try checkTensorCount(shards)
    return shards
  }

  /// Adds the next shard, which must belong to those before.
  private static func append(
    _ shard: Shard, to shards: inout [Shard], count: Int
  ) throws(FormatError) {
    var shard = shard
    try shard.check(number: shards.count + 1, count: count, first: shards.first ?? shard)
    if !shards.isEmpty { shard.header.dropMetadata() }
    shards.append(shard)
  }

  private static func checkTensorCount(_ shards: [Shard]) throws(FormatError) {
    let tensorCount = shards.reduce(0) { $0 + $1.header.tensors.count }
    if let wanted = try shards[0].integer("split.tensors.count"), wanted != tensorCount {
      throw FormatError(
        .shards, path: shards[0].path, subject: "key \"split.tensors.count\"",
        wanted: "\(wanted) tensors in all \(shards.count) shards", found: "\(tensorCount)")
    }
  }

  /// The name of the shard at `path` that leads to the others: its own, or one that it is linked
  /// to. Of several, the first counts beside which all shards are. Nil where no name is that of a
  /// shard.
  private static func shardName(path: String, count: Int) -> ShardName? {
    let names = LinkChain(path: path).paths.compactMap { ShardName(path: $0) }
      .filter { $0.count == count }
    let complete = names.first { name in
      (1...count).allSatisfy { LinkChain.exists(name.path(number: $0)) }
    }
    return complete ?? names.first
  }

  /// Opens another shard; one that is missing is an error about shards, not about a path.
  private static func sibling(
    _ path: String, headerByteCountMax: Int
  ) throws(FormatError) -> Shard {
    do {
      return try Shard(path: path, headerByteCountMax: headerByteCountMax)
    } catch {
      guard error.kind == .unreadable else { throw error }
      throw FormatError(.shards, path: path, wanted: "a shard of the model", found: error.found)
    }
  }

  private func check(number: Int, count: Int, first: Shard) throws(FormatError) {
    let wanted = [("split.no", number - 1), ("split.count", count)]
    for (key, value) in wanted {
      let found = try integer(key)
      guard found == value else {
        throw FormatError(
          .shards, path: path, subject: "key \"\(key)\"",
          wanted: "\(value), as its name and the other shards say",
          found: found.map(String.init) ?? "no such key")
      }
    }
    // Shards behind the first need not repeat the metadata, but what they repeat must agree.
    let key = "general.architecture"
    if let own = header.metadata[key], own != first.header.metadata[key] {
      throw FormatError(
        .shards, path: path, subject: "key \"\(key)\"",
        wanted: first.header.metadata[key]?.summary ?? "none, as in the first shard",
        found: own.summary)
    }
  }

  private func integer(_ key: String) throws(FormatError) -> Int? {
    guard let value = header.metadata[key] else { return nil }
    guard let integer = value.integer, (0...Int(Int32.max)).contains(integer) else {
      throw FormatError(
        .shards, path: path, subject: "key \"\(key)\"", wanted: "a count", found: value.summary)
    }
    return integer
  }
}
