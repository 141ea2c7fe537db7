import Foundation
import MoEAnalysis
import MoECore
import MoEModel
import MoERuntime
import MoETestSupport
import Testing

@Suite(.serialized) struct ZZOverhead {
  @Test(arguments: [false, true], [1, 2]) func measure(logits: Bool, threads: Int) async throws {
    let folder = try TemporaryFolder()
    let path = folder.url.appending(path: "a").path
    var options = EngineOptions()
    options.contextLength = 1024
    options.threadCount = threads
    let engine = try await Engine(modelAt: TrainedModel.path, options: options)
    let text = try await engine.withDecoder { decoder in
      var contents = RoutingTraceContents()
      (contents.weights, contents.tokenIDs, contents.passes, contents.logits) = (
        true, true, true, logits
      )
      let recorder = RoutingRecorder(
        try RoutingTraceWriter(
          path: path,
          metadata: RoutingTraceMetadata(
            expertCount: 32, expertsPerToken: 4, layers: [0, 1, 2, 3]),
          contents: contents))
      var times: [[Double]] = [[], []]
      var ratios: [Double] = []
      for round in 0..<600 {
        decoder.truncate()
        var pair = [0.0, 0.0]
        for half in 0..<2 {
          let on = (half + round) % 2
          decoder.observer = on == 1 ? recorder : nil
          let start = MonotonicClock.nanoseconds()
          for i in 0..<24 {
            try decoder.forward(
              CollectionOfOne(Int32((i * 37 + round * 11) % 4000)), phase: .decode)
          }
          pair[on] = Double(MonotonicClock.nanoseconds() - start) / 24
        }
        times[0].append(pair[0])
        times[1].append(pair[1])
        ratios.append(pair[1] / pair[0])
      }
      decoder.observer = nil
      func median(_ x: [Double]) -> Double { x.sorted()[x.count / 2] }
      func low(_ x: [Double]) -> Double { x.sorted()[x.count / 10] }
      return
        "threads \(threads) logits \(logits): off \(median(times[0])) on \(median(times[1])) ns/token; p10 \(low(times[0])) \(low(times[1])); median ratio of pairs \(median(ratios))"
    }
    print(text)
  }
}
