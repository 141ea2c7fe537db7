#if Server
  import MoECore
  import MoEExperts
  import MoERuntime
  import Synchronization

  /// What the experts of a served model do, for whoever watches: figures between two looks.
  final class LiveStatus: Sendable {
    private struct Look {
      var time: UInt64
      var statistics: ExpertStatistics
    }

    private let engine: Engine
    private let last = Mutex<Look?>(nil)

    init(_ engine: Engine) { self.engine = engine }

    /// Nil where the engine is gone.
    func json() async -> JSON? {
      guard let map = try? await engine.expertMap() else { return nil }
      let now = MonotonicClock.nanoseconds()
      let before = last.withLock { look in
        defer { look = Look(time: now, statistics: map.statistics) }
        return look
      }
      let load = engine.load
      var members: [JSONMember] = [
        JSONMember(name: "layers", value: .array(map.layers.map(Self.layer))),
        JSONMember(name: "running", value: .integer(load.runningCount)),
        JSONMember(name: "waiting", value: .integer(load.waitingCount)),
        JSONMember(name: "pool_byte_count", value: .integer(engine.plan.memory.poolByteCount)),
        JSONMember(name: "budget_byte_count", value: .integer(engine.plan.memory.budgetByteCount)),
        JSONMember(name: "peak_byte_count", value: .integer(ProcessMemory.peakByteCount())),
      ]
      if let before, now > before.time {
        let seconds = Double(now - before.time) * 1e-9
        let change = map.statistics - before.statistics
        let all = change.prefill + change.decode
        let rate = Double(all.readByteCount) / 0x1p20 / seconds
        members.append(JSONMember(name: "read_mib_per_second", value: Self.tenths(rate)))
        let stalled = Double(all.stallNanoseconds) * 1e-9 / seconds
        members.append(JSONMember(name: "stall_share", value: Self.hundredths(min(1, stalled))))
        if all.requestCount > 0 {
          let hits = Double(all.hitCount) / Double(all.requestCount)
          members.append(JSONMember(name: "hit_rate", value: Self.hundredths(hits)))
        }
      }
      return .object(members)
    }

    private static func layer(_ layer: ExpertMap.Layer) -> JSON {
      .object([
        JSONMember(name: "number", value: .integer(layer.number)),
        JSONMember(name: "experts", value: .integer(layer.isResident.count)),
        JSONMember(name: "resident", value: .string(Self.base64(layer.isResident))),
      ])
    }

    private static func tenths(_ value: Double) -> JSON {
      .number("\(Double((value * 10).rounded()) / 10)")
    }

    private static func hundredths(_ value: Double) -> JSON {
      .number("\(Double((value * 100).rounded()) / 100)")
    }

    private static let digits = Array(
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// A bit for each, the lowest of a byte first, the bytes in base 64 (RFC 4648).
    static func base64(_ flags: [Bool]) -> String {
      var bytes = [UInt8](repeating: 0, count: (flags.count + 7) / 8)
      for (index, flag) in flags.enumerated() where flag {
        bytes[index / 8] |= 1 << UInt8(index % 8)
      }
      var text: [UInt8] = []
      for start in stride(from: 0, to: bytes.count, by: 3) {
        let group = bytes[start..<min(start + 3, bytes.count)]
        let word = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << (8 * UInt32(3 - group.count))
        for place in 0..<4 {
          text.append(
            place <= group.count ? digits[Int(word >> (18 - 6 * UInt32(place)) & 63)] : 0x3D)
        }
      }
      return String(decoding: text, as: UTF8.self)
    }
  }
#endif
