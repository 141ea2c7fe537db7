package import MoECore

extension RunPlan {
  /// The plan as JSON, its keys those of `moe-run plan --json`.
  package var json: JSON {
    .members([
      "model": .string(path), "name": modelName.map(JSON.string),
      "architecture": .string(architecture), "model_bytes": .integer(modelByteCount),
      "layers": .integer(layerCount),
      "experts_per_layer": .array(expertCounts.map(JSON.integer)),
      "experts_per_token": .array(expertsPerToken.map(JSON.integer)),
      "expert_bytes": .integer(expertByteCount),
      "expert_bytes_per_token": .integer(expertByteCountPerToken),
      "kv_bytes_per_token": .integer(keyValueByteCountPerToken),
      "state_bytes_per_sequence": .integer(stateByteCountPerSequence),
      "fits": .bool(memory.fits), "budget_bytes": .integer(memory.budgetByteCount),
      "budget_basis": .string(memory.budgetBasis.rawValue),
      "budget_note": .string(memory.budgetNote),
      "smallest_budget_bytes": .integer(memory.smallestBudgetByteCount),
      "total_bytes": .integer(memory.totalByteCount),
      "memory": .array((memory.rows + [memory.experts]).map(Self.row)),
      "placement": .string(memory.placement.rawValue), "pool_slots": .integer(memory.slotCount),
      "lent_slots": .integer(memory.lentSlotCount), "lent_bytes": .integer(memory.loanByteCount),
      "experts": .integer(memory.expertCount), "context_length": .integer(memory.contextLength),
      "sequences": .integer(memory.sequenceCount),
      "chunk_tokens": .integer(memory.chunkTokenCount), "threads": .integer(memory.threadCount),
      "threads_note": .string(threadNote), "bundle": bundle.map { .string($0.description) },
      "store": .string(store), "cache_policy": .string(cachePolicy.rawValue),
      "predictor": .string(predictor.rawValue), "instruction_set": .string(instructionSet),
      "missing": missing.map(JSON.string),
    ])
  }

  private static func row(_ row: MemoryPlan.Row) -> JSON {
    [
      "name": .string(row.name), "bytes": .integer(row.byteCount),
      "basis": .string(row.basis.rawValue), "note": .string(row.note),
    ]
  }
}
