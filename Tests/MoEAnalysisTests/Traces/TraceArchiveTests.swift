import Foundation
import MoEAnalysis
import MoECore
import MoETestSupport
import Testing

/// `.npz` archives with the JSON file beside them.
@Suite struct TraceArchiveTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func write(_ archive: [UInt8], json: String?) throws -> String {
    let url = folder.url.appending(path: "a.npz")
    try Data(archive).write(to: url)
    let sidecar = folder.url.appending(path: "a.json")
    try? FileManager.default.removeItem(at: sidecar)
    if let json { try Data(json.utf8).write(to: sidecar) }
    return url.path
  }

  private let small = NumpyArchive.experts([0, 3, 1, 2, 3, 0, 2, 1, 0, 1, 2, 3], shape: [3, 2, 2])

  @Test func takesTheDescriptionFromTheFileBesideIt() throws {
    let path = try write(
      small,
      json: """
        {"name": "x", "model": "a/b", "tokens": 3, "sequences": 1, "experts": 9, "k": 2,
         "native_k": 8, "layers_logged": [1, 2], "phase": "decode", "precision": "FP8",
         "source": {"licence": "MIT", "paths": ["p"]}}
        """)
    let trace = try RoutingTrace(contentsOf: path)
    #expect(trace.expertCount == 9 && trace.metadata.layers == [1, 2])
    #expect(trace.metadata.model == "a/b" && trace.metadata.nativeExpertsPerToken == 8)
    #expect(trace.phases == [.decode, .decode, .decode])
    let source = JSONValue.object([
      "licence": .string("MIT"), "paths": .array([.string("p")]),
    ])
    #expect(trace.metadata.others == ["source": source])
    #expect(try RoutingTrace(contentsOf: write(small, json: nil)).expertCount == 4)
  }

  static let refused: [(String, String)] = [
    ("", "not a JSON object"), ("[]", "not a JSON object"), ("{\"experts\": 4", "JSON object"),
    (#"{"experts": 3, "k": 2, "layers_logged": [0, 1]}"#, "takes expert 3"),
    (#"{"experts": 4, "k": 3, "layers_logged": [0, 1]}"#, "'k' is 3, but it is 2"),
    (#"{"experts": 4, "k": 2, "layers_logged": [0]}"#, "has 2 layers"),
    (#"{"experts": 4, "k": 2, "layers_logged": [0, 1], "tokens": 4}"#, "'tokens' is 4"),
    (#"{"experts": 4, "k": 2, "layers_logged": [0, 1], "labels": []}"#, "'labels'"),
    (#"{"experts": 4, "k": 2, "layers_logged": [0, 1], "prompt_hash": "xyz"}"#, "'prompt_hash'"),
    (#"{"experts": 4, "k": 2, "layers_logged": "all"}"#, "'layers_logged'"),
  ]

  @Test(arguments: refused)
  func refusesADescriptionThatDoesNotFit(_ json: String, _ named: String) throws {
    let path = try write(small, json: json)
    let error = #expect(throws: RoutingTraceError.self) { try RoutingTrace(contentsOf: path) }
    let text = error?.description ?? ""
    #expect(text.contains(named) && text.hasPrefix(path) && !text.contains("\n"), "\(text)")
  }

  @Test func refusesAnExpertThatIsChosenTwice() throws {
    let archive = NumpyArchive.experts([0, 0], shape: [1, 1, 2])
    let error = #expect(throws: RoutingTraceError.self) {
      try RoutingTrace(archive: archive, name: "a")
    }
    #expect(error?.description.contains("expert 0 twice") == true)
  }

  /// Numbers that no router gives get no further than the reader, whoever wrote them.
  @Test func refusesDamagedNumbersOfTheOtherArrays() throws {
    let path = folder.url.appending(path: "b.npz").path
    func problem(_ change: (inout RoutingTrace) -> Void) throws -> String {
      var trace = RoutingTrace(
        layerCount: 1, expertsPerToken: 1, experts: [0, 1, 0], sequenceStarts: [0, 2])
      change(&trace)
      try trace.write(to: path)
      let error = #expect(throws: RoutingTraceError.self) { try RoutingTrace(contentsOf: path) }
      return error?.description ?? ""
    }
    #expect(try problem { $0.weights = [1, .nan, 1] }.contains("weight of token 1"))
    #expect(try problem { $0.weights = [1, 1, .infinity] }.contains("weight of token 2"))
    #expect(try problem { $0.weights = [1, 1] }.contains("'weights'"))
    #expect(try problem { $0.tokenIDs = [1, -1, 0] }.contains("'tokens'"))
    #expect(try problem { $0.logits = [0, 0, .nan, 0, 0, 0] }.contains("logit of token 1"))
    #expect(try problem { $0.passStarts = [0, 1] }.contains("'pass_start'"))
    #expect(
      try problem {
        ($0.passStarts, $0.phases) = ([0, 2], [.prefill, .decode, .decode])
      }.contains("phase changes at token 1"))
  }

  /// Sizes in the archive have 32 bits; what does not fit is refused before it is made.
  @Test func refusesAnArchiveOfFourGibibytesBeforeItIsMade() throws {
    for byteCounts in [[1 << 32], [1 << 31, 1 << 31], [.max, .max], [3 << 30, (1 << 30) - 1]] {
      let error = #expect(throws: RoutingTraceWriteError.self) {
        try RoutingTrace.checkArchive(byteCounts: byteCounts, name: "a.npz")
      }
      #expect(error?.path == "a.npz")
      #expect(error?.reason.contains(".moetrace") == true, "\(byteCounts)")
    }
    try RoutingTrace.checkArchive(byteCounts: [3 << 30, (1 << 30) - (1 << 20)], name: "a.npz")
    try RoutingTrace.checkArchive(byteCounts: [], name: "a.npz")
  }

  @Test(arguments: ["qwen3-30b-a3b-chat", "mixtral-8x7b-humaneval", "gemma-4-26b-a4b-chat"])
  func recordedTracesSurviveTheWayThereAndBack(_ name: String) throws {
    let file = try RoutingTraceFile("real/" + name)
    let path = RoutingTraceFile.directory.appending(path: "real/\(name).npz").path
    let trace = try RoutingTrace(contentsOf: path)
    #expect(trace.experts == file.trace.experts && trace.expertCount == file.expertCount)
    let stream = folder.url.appending(path: "a.moetrace").path
    let archive = folder.url.appending(path: "a.npz").path
    try trace.write(to: stream)
    let fromStream = try RoutingTrace(contentsOf: stream)
    #expect(fromStream == trace)
    try fromStream.write(to: archive)
    #expect(try RoutingTrace(contentsOf: archive) == trace)
    #expect(trace.metadata.others["source"] != nil && trace.weights != nil)
  }
}
