public import CMoERuntimeInterface
import MoECore
import MoERuntime

// moerun.h documents these functions, and the compiler holds them against it.

@c @implementation
public func moe_plan(
  _ path: UnsafePointer<CChar>?, _ options: OpaquePointer?, _ json: TextSlot?,
  _ message: TextSlot?
) -> moe_status {
  unsafe answer(message) { () throws(CallFailure) in
    let json = try unsafe place(json, "json")
    let path = try unsafe text(path, "the model's path")
    let options = try unsafe Options.values(options, as: EngineOptions.self)
    do throws(EngineError) {
      let plan = try Engine.plan(modelAt: path, options: options)
      unsafe json.pointee = copied(plan.json.jsonText)
    } catch {
      throw CallFailure(error)
    }
    return MOE_OK
  }
}

@c @implementation
public func moe_engine_load(
  _ path: UnsafePointer<CChar>?, _ options: OpaquePointer?, _ progress: moe_progress?,
  _ context: UnsafeMutableRawPointer?, _ engine: UnsafeMutablePointer<OpaquePointer?>?,
  _ message: TextSlot?
) -> moe_status {
  unsafe answer(message) { () throws(CallFailure) in
    let engine = try unsafe place(engine, "engine")
    let path = try unsafe text(path, "the model's path")
    let model = try unsafe LoadedModel.load(path, Options.values(options)) { done, total in
      unsafe progress?(done, total, context)
    }
    unsafe engine.pointee = Handles.make(model)
    return MOE_OK
  }
}

@c @implementation
public func moe_engine_info(
  _ engine: OpaquePointer?, _ json: TextSlot?, _ message: TextSlot?
) -> moe_status {
  unsafe answer(message) { () throws(CallFailure) in
    let json = try unsafe place(json, "json")
    let model: LoadedModel = try unsafe Handles.object(engine, LoadedModel.title)
    unsafe json.pointee = copied(model.information.jsonText)
    return MOE_OK
  }
}

@c @implementation
public func moe_engine_plan(
  _ engine: OpaquePointer?, _ json: TextSlot?, _ message: TextSlot?
) -> moe_status {
  unsafe answer(message) { () throws(CallFailure) in
    let json = try unsafe place(json, "json")
    let model: LoadedModel = try unsafe Handles.object(engine, LoadedModel.title)
    unsafe json.pointee = copied(model.engine.plan.json.jsonText)
    return MOE_OK
  }
}

@c @implementation
public func moe_engine_free(_ engine: OpaquePointer?) {
  unsafe Handles.remove(engine, as: LoadedModel.self)?.release()
}
