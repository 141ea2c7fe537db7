import MoECore
import MoERuntime
private import Synchronization

/// Values that C sets one by one, by their names.
protocol OptionValues: Sendable {
  init()

  static var entries: [OptionEntry<Self>] { get }
  /// What they are options of.
  static var subject: String { get }
  /// The function of C that makes them.
  static var maker: String { get }
}

extension EngineOptions: OptionValues {
  static var entries: [OptionEntry<EngineOptions>] { LoadingOptionRegistry.all }
  static var subject: String { "loading" }
  static var maker: String { "moe_options_for_loading" }
}

extension TextOptions: OptionValues {
  static var entries: [OptionEntry<TextOptions>] { TextOptionRegistry.all }
  static var subject: String { "a text" }
  static var maker: String { "moe_options_for_text" }
}

/// The options that a handle of C's stands for.
final class Options: Sendable {
  static let title = "the options"

  private let holder: any OptionHolder

  init<Values: OptionValues>(_ type: Values.Type) { holder = Holder<Values>() }

  func set(_ name: String, to value: String) throws(CallFailure) {
    try holder.set(name, to: value)
  }

  /// All that can be set.
  var description: JSON { holder.description }

  /// The options that a handle has; the usual ones for NULL. Throws where they are of another kind.
  static func values<Values: OptionValues>(
    _ handle: OpaquePointer?, as type: Values.Type = Values.self
  ) throws(CallFailure) -> Values {
    guard let handle = unsafe handle else { return Values() }
    let options: Options = try unsafe Handles.object(handle, title)
    guard let holder = options.holder as? Holder<Values> else {
      throw .argument(
        "these are options of \(options.holder.subject), not of \(Values.subject); give those of "
          + Values.maker)
    }
    return holder.current
  }

  /// What is said of a name that is none of a kind's.
  fileprivate static func unknown(_ name: String, in wanted: String) -> String {
    for (maker, subject, names) in [
      (EngineOptions.maker, EngineOptions.subject, EngineOptions.entries.map(\.name)),
      (TextOptions.maker, TextOptions.subject, TextOptions.entries.map(\.name)),
    ] where names.contains(name) {
      return "\"\(name)\" is an option of \(subject), not of \(wanted); see \(maker)"
    }
    return "there is no option \(name.quotedForMessage); moe_options_describe lists them"
  }
}

/// Options whatever their kind.
private protocol OptionHolder: AnyObject, Sendable {
  var subject: String { get }
  var description: JSON { get }
  func set(_ name: String, to value: String) throws(CallFailure)
}

/// Options of a kind.
private final class Holder<Values: OptionValues>: OptionHolder {
  private let values = Mutex(Values())

  var subject: String { Values.subject }
  var current: Values { values.withLock { $0 } }
  var description: JSON { .array(Values.entries.map(\.description)) }

  func set(_ name: String, to value: String) throws(CallFailure) {
    guard let entry = Values.entries.first(where: { $0.name == name }) else {
      throw .argument(Options.unknown(name, in: Values.subject))
    }
    let wanted = values.withLock { values -> WantedValue? in
      var changed = values
      do throws(WantedValue) {
        try entry.set(value, &changed)
      } catch {
        return error
      }
      values = changed
      return nil
    }
    if let wanted {
      throw .argument(
        "the option \"\(name)\" is \(value.quotedForMessage); give it \(wanted.text)")
    }
  }
}
