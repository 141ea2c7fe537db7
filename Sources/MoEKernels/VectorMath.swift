internal import CMoEKernelsInterface
package import MoECore

/// Functions of one vector, on the calling thread: router scores, logits.
package enum VectorMath {
  /// x = exp(x - max) / sum, in place; returns log(sum) + max. `x` must not be empty.
  @discardableResult
  package static func softmax(_ x: FloatView, _ instructionSet: InstructionSet? = nil) -> Float {
    precondition(x.count > 0)
    return unsafe operations(instructionSet).pointee.softmax(x.pointer, x.count)
  }

  /// x = 1 / (1 + exp(-x)), in place; the same bits on every machine.
  package static func sigmoid(_ x: FloatView, _ instructionSet: InstructionSet? = nil) {
    unsafe operations(instructionSet).pointee.sigmoid(x.pointer, x.count)
  }

  /// log(sum(exp(x))), summed in double precision. `x` must not be empty.
  package static func logSumExp(
    _ x: FloatView, _ instructionSet: InstructionSet? = nil
  ) -> Double {
    precondition(x.count > 0)
    return unsafe operations(instructionSet).pointee.log_sum_exp(x.pointer, x.count)
  }

  /// Index of the largest value, the first of equals; NaN never wins. `x` must not be empty.
  package static func argmax(_ x: FloatView, _ instructionSet: InstructionSet? = nil) -> Int {
    precondition(x.count > 0)
    return unsafe operations(instructionSet).pointee.argmax(x.pointer, x.count)
  }

  /// The table of one level, or of the current one where there is no such level or none is named.
  private static func operations(
    _ instructionSet: InstructionSet?
  ) -> UnsafePointer<moe_operations> {
    if let level = instructionSet, let table = unsafe moe_operations_at(level.cValue) {
      return unsafe table
    }
    return unsafe moe_operations_current()
  }
}
