import FoundationEssentials
import MoEAnalysis

/// Routing traces as arguments.
enum TraceFile {
  /// Reads a recorded trace; says in one sentence why it cannot.
  static func routing(at path: String) throws(Failure) -> RoutingTrace {
    do {
      let attributes = try FileManager.default.attributesOfItem(atPath: path)
      guard attributes[.type] as? FileAttributeType == .typeRegular else {
        throw RoutingTraceError(name: path, problem: "it is not a regular file")
      }
      guard let size = attributes[.size] as? any BinaryInteger,
        Int(clamping: size) <= RoutingTrace.byteCountMax
      else {
        throw RoutingTraceError(name: path, problem: "it is larger than 1 GiB")
      }
      let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
      return try RoutingTrace(archive: Array(bytes), name: path)
    } catch let error as RoutingTraceError {
      throw .runtime(error.description)
    } catch {
      throw .runtime("\(path) cannot be read: give the .npz file of a routing trace")
    }
  }
}
