package import MoECore
private import MoEPlatform

extension RoutingTrace {
  /// Reads a trace of either kind, told apart by its first bytes: a `.moetrace` file, or an `.npz`
  /// archive with, as a rule, a JSON file of the same name beside it.
  ///
  /// The files are untrusted. Errors are one sentence that names the file.
  package init(contentsOf path: String) throws(RoutingTraceError) {
    let bytes = try RoutingTraceError.contents(of: path, byteCountMax: Self.byteCountMax)
    if bytes.starts(with: RoutingTraceFormat.magic) {
      do throws(RoutingTraceReader.Problem) {
        self = try RoutingTraceReader.trace(bytes)
      } catch {
        throw RoutingTraceError(name: path, problem: error.text, advice: "record it again")
      }
      return
    }
    guard bytes.starts(with: Array("PK".utf8)) else {
      throw RoutingTraceError(
        name: path, problem: "it is neither a .moetrace file nor a zip file, as .npz files are",
        advice: "give a file that 'moe-run trace record' wrote, or an .npz archive")
    }
    let sidecarPath = Self.sidecarPath(path)
    var sidecar: [String: JSONValue]?
    if WholeFile.exists(sidecarPath) {
      let text = try RoutingTraceError.contents(
        of: sidecarPath, byteCountMax: RoutingTraceFormat.headerByteCountMax)
      sidecar = JSONValue.members(of: text)
      guard sidecar != nil else {
        throw RoutingTraceError(
          name: path, problem: "\(sidecarPath) beside it is not a JSON object",
          advice: "repair or remove it")
      }
    }
    try self.init(archive: bytes, name: path, sidecar: sidecar)
  }

  /// Writes the trace: as an archive with a JSON file beside it where `path` ends in `.npz`, else
  /// as a `.moetrace` file. Files that are there are replaced.
  package func write(to path: String) throws(RoutingTraceWriteError) {
    guard path.hasSuffix(".npz") else { return try writeStream(to: path) }
    let archive = try archive(name: path)
    let name = path.split(separator: "/").last?.dropLast(".npz".count) ?? ""
    let sidecar = JSONValue.object(sidecarMembers(name: String(name))).lines
    try RoutingTraceWriteError.replace(path, with: archive)
    try RoutingTraceWriteError.replace(Self.sidecarPath(path), with: Array(sidecar.utf8))
  }

  /// `a.json` for `a.npz`.
  static func sidecarPath(_ path: String) -> String {
    (path.hasSuffix(".npz") ? String(path.dropLast(".npz".count)) : path) + ".json"
  }
}

extension RoutingTraceError {
  /// A file as a whole, with what is in the way as an error about a trace.
  static func contents(of path: String, byteCountMax: Int) throws(RoutingTraceError) -> [UInt8] {
    do throws(FileError) {
      return try WholeFile.contents(of: path, byteCountMax: byteCountMax)
    } catch {
      let problem =
        switch error {
        case .notRegular: "it is not a regular file"
        case .tooLarge: "it is larger than \(ByteSize(byteCountMax))"
        case .system, .impossibleName: error.reason
        }
      throw RoutingTraceError(name: path, problem: problem, advice: "")
    }
  }
}

extension RoutingTraceWriteError {
  fileprivate static func replace(
    _ path: String, with bytes: [UInt8]
  ) throws(RoutingTraceWriteError) {
    do throws(FileError) {
      try WholeFile.replace(path, with: bytes)
    } catch {
      throw RoutingTraceWriteError(path: path, error)
    }
  }
}
