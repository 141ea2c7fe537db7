import MoECore
import MoERuntime
import MoETokenizer
private import Synchronization

/// A model in memory, and how many handles hold it: the engine's own, and one of each session.
final class LoadedModel: Sendable {
  private enum Event: Sendable {
    case progress(done: Int, total: Int)
    case loaded(Engine)
    case failed(EngineError)
  }

  static let title = "the engine"

  let engine: Engine
  private let holderCount = Mutex(1)
  /// The form that conversations had last: reading a template takes a while.
  private let format = Mutex<(wanted: ChatFormat.Source?, format: ChatFormat)?>(nil)

  private init(_ engine: Engine) { self.engine = engine }

  /// Loads a model; blocks until it is there.
  ///
  /// - Parameter progress: Called on this thread.
  static func load(
    _ path: String, _ options: EngineOptions, progress: (_ done: Int, _ total: Int) -> Void
  ) throws(CallFailure) -> LoadedModel {
    let events = Mailbox<Event>()
    Task.detached {
      do throws(EngineError) {
        let engine = try await Engine(modelAt: path, options: options) { done, total in
          events.put(.progress(done: done, total: total))
        }
        events.put(.loaded(engine))
      } catch {
        events.put(.failed(error))
      }
    }
    while true {
      switch events.take() {
      case .progress(let done, let total): progress(done, total)
      case .loaded(let engine): return LoadedModel(engine)
      case .failed(let error): throw CallFailure(error)
      }
    }
  }

  /// Adds a holder; false where there is none left, and the model is gone.
  func hold() -> Bool {
    holderCount.withLock { count in
      if count > 0 { count += 1 }
      return count > 0
    }
  }

  /// Takes a holder away; with the last one the model's memory is freed, and this blocks until it
  /// is.
  func release() {
    let isLast = holderCount.withLock { count in
      count -= 1
      return count == 0
    }
    guard isLast else { return }
    let done = Mailbox<Void>()
    Task.detached { [engine] in
      await engine.unload()
      done.put(())
    }
    done.take()
  }

  /// How conversations are written.
  func chatFormat(_ wanted: ChatFormat.Source?) throws(EngineError) -> ChatFormat {
    if let kept = format.withLock({ $0 }), kept.wanted == wanted { return kept.format }
    let made = try ChatFormat(engine, wanted: wanted)
    format.withLock { $0 = (wanted, made) }
    return made
  }

  /// What the model is.
  var information: JSON {
    let (plan, tokenizer) = (engine.plan, engine.tokenizer)
    return .members([
      "model": .string(plan.path), "name": plan.modelName.map(JSON.string),
      "architecture": .string(plan.architecture),
      "vocabulary_size": .integer(tokenizer.vocabularySize),
      "context_length": .integer(plan.memory.contextLength),
      "begin_token": tokenizer.beginToken.map { .integer(Int($0)) },
      "end_tokens": .array(tokenizer.endTokens.map { .integer(Int($0)) }),
      "chat_templates": .array(engine.chatTemplates.keys.sorted().map(JSON.string)),
      "notes": .array(tokenizer.notes.map(JSON.string)),
    ])
  }
}
