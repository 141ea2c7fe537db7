import Foundation
import MoERuntime
import Synchronization
import Testing

/// A timeline as whoever opens the file sees it.
struct TraceEvents {
  struct Slice {
    let name: String
    let category: String
    /// Nanoseconds.
    let start: Int
    let end: Int
    let process: Int
    let thread: Int
    let arguments: [String: Any]
  }

  let slices: [Slice]
  /// (process and thread): the track's name.
  let trackNames: [[Int]: String]
  let counterCount: Int
  let droppedCount: Int

  init(json: String) throws {
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
    let events = try #require(object["traceEvents"] as? [[String: Any]])
    droppedCount =
      ((object["otherData"] as? [String: Any])?["dropped_events"] as? Int) ?? -1
    var (slices, names, counters): ([Slice], [[Int]: String], Int) = ([], [:], 0)
    for event in events {
      let name = try #require(event["name"] as? String)
      let process = try #require(event["pid"] as? Int)
      let arguments = try #require(event["args"] as? [String: Any])
      switch try #require(event["ph"] as? String) {
      case "X":
        let start = try Self.nanoseconds(event["ts"])
        slices.append(
          Slice(
            name: name, category: try #require(event["cat"] as? String), start: start,
            end: start + (try Self.nanoseconds(event["dur"])), process: process,
            thread: try #require(event["tid"] as? Int), arguments: arguments))
      case "M" where name == "thread_name":
        names[[process, try #require(event["tid"] as? Int)]] = arguments["name"] as? String
      case "M": #expect(name == "process_name")
      case "C": counters += 1
      case let other: Issue.record("a phase '\(other)'")
      }
    }
    (self.slices, trackNames, counterCount) = (slices, names, counters)
  }

  /// Of the engine's last generation.
  init(of engine: Engine) async throws {
    let text = Mutex("")
    _ = try await engine.writeTimeline { piece in text.withLock { $0 += piece } }
    try self.init(json: text.withLock { $0 })
  }

  private static func nanoseconds(_ value: Any?) throws -> Int {
    Int((try #require(value as? Double) * 1000).rounded())
  }

  func named(_ name: String) -> [Slice] { slices.filter { $0.name == name } }

  /// That on each track slices come by time, and each lies within the one before or after it; that
  /// each track has a name.
  func checkTracks() {
    var open: [[Int]: [Slice]] = [:]
    var last: [[Int]: Int] = [:]
    for slice in slices {
      let track = [slice.process, slice.thread]
      #expect(trackNames[track] != nil, "track \(track) has no name")
      #expect(slice.start >= last[track, default: 0], "\(slice.name) goes back in time")
      #expect(slice.end >= slice.start)
      last[track] = slice.start
      while let outer = open[track]?.last, outer.end <= slice.start { open[track]?.removeLast() }
      if let outer = open[track]?.last {
        #expect(slice.end <= outer.end, "\(slice.name) reaches out of \(outer.name)")
      }
      open[track, default: []].append(slice)
    }
  }
}
