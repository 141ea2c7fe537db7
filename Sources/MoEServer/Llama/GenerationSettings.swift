import MoECore
import MoERuntime

extension GenerationOptions {
  /// How a text is drawn, in llama-server's words.
  var settingsJSON: JSON {
    [
      "seed": .number("\(sampling.seed ?? 0)"),
      "temperature": .real(Double(sampling.temperature)),
      "top_k": .integer(sampling.topK), "top_p": .real(Double(sampling.topP)),
      "min_p": .real(Double(sampling.minP)), "typical_p": .real(Double(sampling.typicalP)),
      "top_n_sigma": .real(Double(sampling.topNSigma)),
      "xtc_probability": .real(Double(sampling.xtcProbability)),
      "xtc_threshold": .real(Double(sampling.xtcThreshold)),
      "dynatemp_range": .real(Double(sampling.dynamicTemperatureRange)),
      "dynatemp_exponent": .real(Double(sampling.dynamicTemperatureExponent)),
      "repeat_penalty": .real(Double(sampling.repeatPenalty)),
      "repeat_last_n": .integer(sampling.repeatLastCount),
      "presence_penalty": .real(Double(sampling.presencePenalty)),
      "frequency_penalty": .real(Double(sampling.frequencyPenalty)),
      "dry_multiplier": .real(Double(sampling.dryMultiplier)),
      "dry_base": .real(Double(sampling.dryBase)),
      "dry_allowed_length": .integer(sampling.dryAllowedLength),
      "dry_penalty_last_n": .integer(sampling.dryLastCount),
      "dry_sequence_breakers": .array(sampling.dryBreakers.map(JSON.string)),
      "mirostat": sampling.mirostat ? 2 : 0,
      "mirostat_tau": .real(Double(sampling.mirostatTarget)),
      "mirostat_eta": .real(Double(sampling.mirostatRate)),
      "samplers": .array((sampling.samplers ?? SamplingOptions.samplerNames).map(JSON.string)),
      "stop": .array(stops.map(JSON.string)), "n_predict": .integer(tokenCountMax ?? -1),
      "ignore_eos": .bool(ignoresEnd), "n_probs": .integer(logProbabilityCount ?? 0),
    ]
  }
}

extension GenerationStatistics {
  /// What a text took, in llama-server's words.
  var timingsJSON: JSON {
    let (prompt, decode) = (prefillSeconds * 1000, decodeSeconds * 1000)
    let (read, written) = (Double(promptTokenCount), Double(generatedTokenCount))
    return [
      "cache_n": .integer(heldTokenCount), "prompt_n": .integer(promptTokenCount),
      "prompt_ms": .real(prompt), "prompt_per_token_ms": .real(prompt / max(1, read)),
      "prompt_per_second": .real(prefillTokensPerSecond),
      "predicted_n": .integer(generatedTokenCount), "predicted_ms": .real(decode),
      "predicted_per_token_ms": .real(decode / max(1, written - 1)),
      "predicted_per_second": .real(decodeTokensPerSecond),
    ]
  }
}
