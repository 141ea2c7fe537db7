import CMoERuntimeInterface
import MoERuntime

// moerun.h documents these functions, and the compiler holds them against it.

@c @implementation
public func moe_version() -> UnsafePointer<CChar>? {
  unsafe UnsafeRawPointer(RuntimeVersion.text.utf8Start).assumingMemoryBound(to: CChar.self)
}

@c @implementation
public func moe_string_free(_ text: UnsafeMutablePointer<CChar>?) {
  unsafe release(text)
}
