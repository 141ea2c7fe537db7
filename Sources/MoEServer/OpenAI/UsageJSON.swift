import MoECore

/// What answers cost, in each interface's words.
extension AnswerUsage {
  /// OpenAI's chat completions and plain ones.
  var completionJSON: JSON {
    [
      "prompt_tokens": .integer(promptTokenCount),
      "completion_tokens": .integer(generatedTokenCount),
      "total_tokens": .integer(promptTokenCount + generatedTokenCount),
      "prompt_tokens_details": ["cached_tokens": .integer(cachedTokenCount)],
    ]
  }

  /// OpenAI's responses.
  func responseJSON(thinkingTokenCount: Int) -> JSON {
    [
      "input_tokens": .integer(promptTokenCount),
      "input_tokens_details": ["cached_tokens": .integer(cachedTokenCount)],
      "output_tokens": .integer(generatedTokenCount),
      "output_tokens_details": ["reasoning_tokens": .integer(thinkingTokenCount)],
      "total_tokens": .integer(promptTokenCount + generatedTokenCount),
    ]
  }

  /// Anthropic's messages, which count what was cached apart.
  var messageJSON: JSON {
    [
      "input_tokens": .integer(promptTokenCount - cachedTokenCount),
      "cache_creation_input_tokens": 0,
      "cache_read_input_tokens": .integer(cachedTokenCount),
      "output_tokens": .integer(generatedTokenCount),
    ]
  }
}
