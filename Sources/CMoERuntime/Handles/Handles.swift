private import Synchronization

/// What C holds of objects: numbers in place of addresses, none of them given twice. So a handle
/// that was freed already, that is of another kind, or that never was one is found out, and an
/// object that is freed while another thread uses it lives until that call ends.
enum Handles {
  private struct State {
    var last: UInt = 0
    var objects: [UInt: any AnyObject & Sendable] = [:]
  }

  private static let state = Mutex(State())
  /// Handles look like addresses of something, to whoever prints them.
  private static let step: UInt = 16

  /// A new handle that keeps the object alive.
  static func make(_ object: any AnyObject & Sendable) -> OpaquePointer? {
    let number = state.withLock { state in
      state.last += step
      state.objects[state.last] = object
      return state.last
    }
    return unsafe OpaquePointer(bitPattern: number)
  }

  /// The object of a handle.
  ///
  /// - Parameter name: What it should be, with its article, for messages.
  static func object<Object: AnyObject & Sendable>(
    _ handle: OpaquePointer?, _ name: String, as type: Object.Type = Object.self
  ) throws(CallFailure) -> Object {
    guard let handle = unsafe handle else {
      throw .argument("NULL was given in place of \(name); make one first")
    }
    let number = UInt(bitPattern: handle)
    let object = state.withLock { $0.objects[number] }
    guard let object else {
      throw .argument("what was given as \(name) is no handle, or was freed already")
    }
    guard let object = object as? Object else {
      throw .argument("what was given as \(name) is a handle of another kind")
    }
    return object
  }

  /// Takes a handle back; nil where it is none of this kind.
  static func remove<Object: AnyObject & Sendable>(
    _ handle: OpaquePointer?, as type: Object.Type = Object.self
  ) -> Object? {
    let number = UInt(bitPattern: handle)
    return state.withLock { state in
      guard let object = state.objects[number] as? Object else { return nil }
      state.objects[number] = nil
      return object
    }
  }
}
