public import CMoERuntimeInterface
import MoECore

// moerun.h documents these functions, and the compiler holds them against it.

@c @implementation
public func moe_session_create(
  _ engine: OpaquePointer?, _ session: UnsafeMutablePointer<OpaquePointer?>?,
  _ message: TextSlot?
) -> moe_status {
  unsafe answer(message) { () throws(CallFailure) in
    let session = try unsafe place(session, "session")
    let model: LoadedModel = try unsafe Handles.object(engine, LoadedModel.title)
    unsafe session.pointee = Handles.make(try TextSession(model))
    return MOE_OK
  }
}

@c @implementation
public func moe_session_prompt(
  _ session: OpaquePointer?, _ prompt: UnsafePointer<CChar>?, _ options: OpaquePointer?,
  _ message: TextSlot?
) -> moe_status {
  unsafe answer(message) { () throws(CallFailure) in
    let session: TextSession = try unsafe Handles.object(session, TextSession.title)
    let prompt = try unsafe text(prompt, "the prompt")
    try unsafe session.begin(.text(prompt), Options.values(options))
    return MOE_OK
  }
}

@c @implementation
public func moe_session_chat(
  _ session: OpaquePointer?, _ messages: UnsafePointer<CChar>?, _ options: OpaquePointer?,
  _ message: TextSlot?
) -> moe_status {
  unsafe answer(message) { () throws(CallFailure) in
    let session: TextSession = try unsafe Handles.object(session, TextSession.title)
    let messages = try unsafe text(messages, "the conversation")
    try unsafe session.begin(.conversation(messages), Options.values(options))
    return MOE_OK
  }
}

@c @implementation
public func moe_session_next(
  _ session: OpaquePointer?, _ piece: UnsafeMutablePointer<UnsafePointer<moe_piece>?>?,
  _ message: TextSlot?
) -> moe_status {
  unsafe answer(message) { () throws(CallFailure) in
    let piece = try unsafe place(piece, "piece")
    let session: TextSession = try unsafe Handles.object(session, TextSession.title)
    unsafe piece.pointee = try session.next()
    return unsafe piece.pointee == nil ? MOE_END : MOE_OK
  }
}

@c @implementation
public func moe_session_run(
  _ session: OpaquePointer?, _ receiver: moe_receiver?, _ context: UnsafeMutableRawPointer?,
  _ message: TextSlot?
) -> moe_status {
  unsafe answer(message) { () throws(CallFailure) in
    let session: TextSession = try unsafe Handles.object(session, TextSession.title)
    guard let receiver = unsafe receiver else {
      throw .argument("the receiver is NULL; give a function that takes the pieces")
    }
    try unsafe session.run { piece in unsafe receiver(piece, context) == 0 }
    return MOE_OK
  }
}

@c @implementation
public func moe_session_cancel(_ session: OpaquePointer?) {
  guard let session = try? unsafe Handles.object(session, TextSession.title, as: TextSession.self)
  else { return }
  session.cancel()
}

@c @implementation
public func moe_session_statistics(
  _ session: OpaquePointer?, _ json: TextSlot?, _ message: TextSlot?
) -> moe_status {
  unsafe answer(message) { () throws(CallFailure) in
    let json = try unsafe place(json, "json")
    let session: TextSession = try unsafe Handles.object(session, TextSession.title)
    unsafe json.pointee = copied(try session.statistics().jsonText)
    return MOE_OK
  }
}

@c @implementation
public func moe_session_free(_ session: OpaquePointer?) {
  unsafe Handles.remove(session, as: TextSession.self)?.end()
}
