import MoECore
import MoERuntime
import MoETemplates

/// A whole answer.
struct FinishedAnswer: Sendable {
  struct Call: Sendable {
    var id: String
    var name: String
    var arguments = ""
  }

  var content = ""
  var thinking = ""
  var calls: [Call] = []
  var probabilities: [ContentToken] = []
  var tokens: [Int32] = []
  var end: AnswerEnd

  /// Waits for all choices of a request.
  static func collect(
    _ events: AsyncThrowingStream<AnswerEvent, any Error>, count: Int, scope: RequestScope
  ) async throws -> [FinishedAnswer] {
    var parts = [AnswerParts](repeating: AnswerParts(), count: count)
    var ends = [AnswerEnd?](repeating: nil, count: count)
    for try await event in events {
      switch event {
      case .tick, .progress: break
      case .piece(let choice, let piece): parts[choice].add(piece)
      case .end(let choice, let end): ends[choice] = end
      }
    }
    return try zip(parts, ends).map { parts, end in
      // The stream ends early where whoever reads it was cancelled.
      guard let end else { throw scope.end ?? .clientLeft }
      return parts.finished(end)
    }
  }
}

/// An answer as far as it has come.
private struct AnswerParts {
  private var answer = FinishedAnswer(
    end: AnswerEnd(
      finish: .cancelled, hasToolCalls: false, statistics: GenerationStatistics()))

  mutating func add(_ piece: AnswerPiece) {
    if let token = piece.token { answer.tokens.append(token) }
    answer.probabilities += piece.probabilities
    for event in piece.output {
      switch event {
      case .content(let text): answer.content += text
      case .thinking(let text): answer.thinking += text
      case .toolCallStarted(_, let id, let name):
        answer.calls.append(FinishedAnswer.Call(id: id ?? Identifier.toolCall(), name: name))
      case .toolCallArguments(let index, let text):
        if answer.calls.indices.contains(index) { answer.calls[index].arguments += text }
      case .toolCallEnded: break
      case .toolCallIncomplete(let index, _):
        // What was not finished can't be called.
        if answer.calls.indices.contains(index) { answer.calls.remove(at: index) }
      }
    }
  }

  func finished(_ end: AnswerEnd) -> FinishedAnswer {
    var answer = answer
    answer.end = end
    answer.end.hasToolCalls = !answer.calls.isEmpty
    return answer
  }
}
