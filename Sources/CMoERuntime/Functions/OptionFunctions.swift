public import CMoERuntimeInterface
import MoECore
import MoERuntime

// moerun.h documents these functions, and the compiler holds them against it.

@c @implementation
public func moe_options_for_loading() -> OpaquePointer? {
  unsafe Handles.make(Options(EngineOptions.self))
}

@c @implementation
public func moe_options_for_text() -> OpaquePointer? {
  unsafe Handles.make(Options(TextOptions.self))
}

@c @implementation
public func moe_options_set(
  _ options: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ value: UnsafePointer<CChar>?,
  _ message: TextSlot?
) -> moe_status {
  unsafe answer(message) { () throws(CallFailure) in
    let options: Options = try unsafe Handles.object(options, Options.title)
    let name = try unsafe text(name, "the option's name")
    try unsafe options.set(name, to: text(value, "the value of \(name.quotedForMessage)"))
    return MOE_OK
  }
}

@c @implementation
public func moe_options_describe(
  _ options: OpaquePointer?, _ json: TextSlot?, _ message: TextSlot?
) -> moe_status {
  unsafe answer(message) { () throws(CallFailure) in
    let json = try unsafe place(json, "json")
    let options: Options = try unsafe Handles.object(options, Options.title)
    unsafe json.pointee = copied(options.description.jsonText)
    return MOE_OK
  }
}

@c @implementation
public func moe_options_free(_ options: OpaquePointer?) {
  _ = unsafe Handles.remove(options, as: Options.self)
}
