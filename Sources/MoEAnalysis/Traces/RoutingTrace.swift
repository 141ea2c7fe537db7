/// Which experts each token chose in each layer, as recorded from a run.
///
/// The layout is that of `Traces/README.md`: a NumPy `.npz` archive whose array `experts` has the
/// shape (token, layer, rank), best first.
package struct RoutingTrace: Sendable {
  package let tokenCount: Int
  package let layerCount: Int
  package let expertsPerToken: Int
  /// (token, layer, rank)
  package let experts: [Int32]
  /// (sequence): its first token, ascending; begins with 0. Tokens in between follow each other.
  package let sequenceStarts: [Int]

  /// An archive of more than this, packed or unpacked, is refused.
  package static let byteCountMax = 1 << 30

  /// - Parameters:
  ///   - experts: (token, layer, rank), each from 0.
  ///   - sequenceStarts: Ascending, from 0 on, each a token of the trace.
  package init(
    layerCount: Int, expertsPerToken: Int, experts: [Int32], sequenceStarts: [Int] = [0]
  ) {
    precondition(layerCount > 0 && expertsPerToken > 0)
    precondition(experts.count % (layerCount * expertsPerToken) == 0)
    precondition(sequenceStarts.first == 0)
    precondition(zip(sequenceStarts, sequenceStarts.dropFirst()).allSatisfy { $0 < $1 })
    tokenCount = experts.count / (layerCount * expertsPerToken)
    self.layerCount = layerCount
    self.expertsPerToken = expertsPerToken
    self.experts = experts
    self.sequenceStarts = sequenceStarts
  }

  /// Reads an archive's bytes; they are untrusted. `name` is what errors call it.
  package init(archive: [UInt8], name: String) throws(RoutingTraceError) {
    do throws(ZipArchive.Problem) {
      let zip = try ZipArchive(archive)
      guard let member = try zip.contents(of: "experts.npy", limit: Self.byteCountMax) else {
        throw ZipArchive.Problem(text: "it has no array 'experts'")
      }
      let array = try NumpyArray(member)
      guard array.shape.count == 3, array.shape.allSatisfy({ $0 > 0 }) else {
        throw ZipArchive.Problem(
          text: "'experts' must have the shape (tokens, layers, experts per token), none of them 0")
      }
      guard array.values.allSatisfy({ $0 >= 0 && $0 < 1 << 16 }) else {
        throw ZipArchive.Problem(text: "'experts' names an expert below 0 or above 65535")
      }
      var starts = [0]
      if let member = try zip.contents(of: "sequence_start.npy", limit: Self.byteCountMax) {
        starts = try NumpyArray(member).values.map(Int.init)
        guard starts.first == 0, Swift.zip(starts, starts.dropFirst()).allSatisfy({ $0 < $1 }),
          (starts.last ?? 0) < array.shape[0]
        else {
          throw ZipArchive.Problem(
            text: "'sequence_start' must ascend from 0 and stay below \(array.shape[0]) tokens")
        }
      }
      self.init(
        layerCount: array.shape[1], expertsPerToken: array.shape[2], experts: array.values,
        sequenceStarts: starts)
    } catch {
      throw RoutingTraceError(name: name, problem: error.text)
    }
  }

  /// The experts of one token in one layer, best first.
  package func selection(token: Int, layer: Int) -> ArraySlice<Int32> {
    let first = (token * layerCount + layer) * expertsPerToken
    return experts[first..<first + expertsPerToken]
  }

  /// The largest expert index and one more.
  package var expertCount: Int { Int(experts.max() ?? -1) + 1 }

  /// Refuses a trace of another model: errors say what was wanted and what was found.
  package func check(
    layerCount: Int, expertCount: Int, expertsPerToken: Int, name: String
  ) throws(RoutingTraceError) {
    guard self.layerCount == layerCount else {
      throw RoutingTraceError(
        name: name, problem: "it has \(self.layerCount) layers, but the model has \(layerCount)")
    }
    guard self.expertCount <= expertCount else {
      throw RoutingTraceError(
        name: name,
        problem: "it names expert \(self.expertCount - 1), but the model has \(expertCount)")
    }
    guard self.expertsPerToken <= expertsPerToken else {
      throw RoutingTraceError(
        name: name,
        problem: "its tokens take \(self.expertsPerToken) experts, but the model's "
          + "\(expertsPerToken)")
    }
  }
}

/// Why a routing trace cannot be used: one sentence.
package struct RoutingTraceError: Error, CustomStringConvertible {
  package let name: String
  let problem: String

  package init(name: String, problem: String) {
    self.name = name
    self.problem = problem
  }

  package var description: String {
    "\(name) cannot be used as a routing trace: \(problem); give the .npz that was recorded from "
      + "this model"
  }
}
