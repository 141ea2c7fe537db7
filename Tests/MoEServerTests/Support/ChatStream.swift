import MoECore
import Testing

/// A stream of chat completions, read as a client does.
struct ChatStream {
  var chunks: [JSON] = []
  /// Of one choice.
  var deltas: [JSON] = []
  var finishReasons: [String] = []
  var isDone = false
  var comments: [String] = []

  init(_ answer: HTTPAnswer, choice: Int = 0) throws {
    try #require(answer.status == 200, "\(answer.text)")
    for event in answer.events {
      if let comment = event.comment {
        comments.append(comment)
      } else if event.data == "[DONE]" {
        isDone = true
      } else {
        let chunk = try event.json
        chunks.append(chunk)
        for part in chunk["choices"]?.array ?? [] where part["index"]?.integer == choice {
          if let delta = part["delta"] { deltas.append(delta) }
          if let reason = part["finish_reason"]?.string { finishReasons.append(reason) }
        }
      }
    }
  }

  var content: String { deltas.compactMap { $0["content"]?.string }.joined() }
  var thinking: String { deltas.compactMap { $0["reasoning_content"]?.string }.joined() }
}
