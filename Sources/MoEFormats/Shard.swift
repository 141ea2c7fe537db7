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
    self.path = path
    identity = file.identity
    header = try GGUFHeader(file, byteCountMax: headerByteCountMax)
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
      try shard.check(number: number, count: count, first: shards.first ?? shard)
      if number > 1 { shard.header.dropMetadata() }
      shards.append(shard)
    }
    let tensorCount = shards.reduce(0) { $0 + $1.header.tensors.count }
    if let wanted = try shards[0].integer("split.tensors.count"), wanted != tensorCount {
      throw FormatError(
        .shards, path: shards[0].path, subject: "key \"split.tensors.count\"",
        wanted: "\(wanted) tensors in all \(count) shards", found: "\(tensorCount)")
    }
    return shards
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
