internal import CMoEKernelsInterface
private import MoECore

/// What a feed-forward block does between its first products and its last: a curve, and where
/// there is a gate, the product of the curved gate with what the up projection gave.
package struct Activation: Sendable, Hashable {
  package enum Curve: Sendable, Hashable, CaseIterable {
    /// x / (1 + exp(-x))
    case silu
    /// x (1 + tanh(sqrt(2 / π) (x + 0.044715 x³))) / 2 (arXiv 1606.08415, section 2)
    case gelu
    /// max(x, 0)
    case relu
    /// max(x, 0)² (arXiv 2109.08668, section 3.1)
    case reluSquared
    /// 1 / (1 + exp(-x))
    case sigmoid
    /// x
    case identity
  }

  /// Bounds of a gated SiLU's values.
  package struct Clamp: Sendable, Hashable {
    /// Whether the gate is bounded after its curve instead of before it.
    package var boundsCurve: Bool
    /// The gate's largest value, and the largest magnitude of up's; above 0.
    package var limit: Float
    /// The curve is x / (1 + exp(-alpha x)).
    package var alpha: Float
    /// Added to the bounded up.
    package var upOffset: Float
  }

  package let curve: Curve
  /// Whether the curve is a gate's and the result its product with up; else it is up's own.
  package let isGated: Bool
  package let clamp: Clamp?

  private init(_ curve: Curve, isGated: Bool, clamp: Clamp? = nil) {
    self.curve = curve
    self.isGated = isGated
    self.clamp = clamp
  }

  /// silu(gate) · up (arXiv 2002.05202).
  package static let swiGLU = Activation(.silu, isGated: true)
  /// gelu(gate) · up (arXiv 2002.05202).
  package static let geGLU = Activation(.gelu, isGated: true)
  package static let silu = Activation(.silu, isGated: false)
  package static let gelu = Activation(.gelu, isGated: false)
  package static let relu = Activation(.relu, isGated: false)
  package static let reluSquared = Activation(.reluSquared, isGated: false)
  package static let sigmoid = Activation(.sigmoid, isGated: false)
  /// gate · up (arXiv 2002.05202).
  package static let bilinear = Activation(.identity, isGated: true)
  /// sigmoid(gate) · up (arXiv 1612.08083).
  package static let sigmoidGated = Activation(.sigmoid, isGated: true)

  /// g / (1 + exp(-alpha g)) · (u + 1) with g = min(gate, limit) and u = up within ±limit, as the
  /// gpt-oss models have it (arXiv 2508.10925).
  ///
  /// - Parameter limit: Above 0.
  package static func clampedSwiGLU(alpha: Float, limit: Float) -> Activation {
    clamped(Clamp(boundsCurve: false, limit: limit, alpha: alpha, upOffset: 1))
  }

  /// silu(g) · u with g = min(gate, limit) and u = up within ±limit, as DeepSeek-V4 has it; with
  /// `boundsCurve` min(silu(gate), limit) · u, as Step-3.5 has it.
  ///
  /// - Parameter limit: Above 0.
  package static func limitedSwiGLU(limit: Float, boundsCurve: Bool) -> Activation {
    clamped(Clamp(boundsCurve: boundsCurve, limit: limit, alpha: 1, upOffset: 0))
  }

  private static func clamped(_ clamp: Clamp) -> Activation {
    precondition(clamp.limit > 0)
    return Activation(.silu, isGated: true, clamp: clamp)
  }
}

extension WorkerTeam {
  /// A gated activation of `gate` and `up`, its result in `gate`; or, where there is no gate, the
  /// activation of `up`, its result in `up`.
  ///
  /// - Parameters:
  ///   - gate: Nil where, and only where, the activation has no gate.
  ///   - up: (row, column), as many as the gate's.
  package func activate(_ activation: Activation, gate: FloatRows?, up: FloatRows) {
    precondition((gate != nil) == activation.isGated)
    let x = gate ?? up
    precondition(x.rowCount == up.rowCount && x.columnCount == up.columnCount)
    let clamp = activation.clamp
    let job = unsafe moe_activate_job(
      x: x.storage.pointer, up: gate == nil ? nil : UnsafePointer(up.storage.pointer),
      rows: x.rowCount, columns: x.columnCount, x_stride: x.stride, up_stride: up.stride,
      curve: activation.curve.cValue, clamp: activation.cClamp, slope: clamp?.alpha ?? 1,
      limit: clamp?.limit ?? .infinity, up_offset: clamp?.upOffset ?? 0)
    unsafe run(
      operations.pointee.activate, job, cost: x.rowCount * x.columnCount, as: .activate)
  }
}

extension Activation {
  fileprivate var cClamp: moe_clamp {
    guard let clamp else { return MOE_CLAMP_NONE }
    return clamp.boundsCurve ? MOE_CLAMP_AFTER : MOE_CLAMP_BEFORE
  }
}

extension Activation.Curve {
  fileprivate var cValue: moe_curve {
    switch self {
    case .silu: MOE_CURVE_SILU
    case .gelu: MOE_CURVE_GELU
    case .relu: MOE_CURVE_RELU
    case .reluSquared: MOE_CURVE_RELU_SQUARED
    case .sigmoid: MOE_CURVE_SIGMOID
    case .identity: MOE_CURVE_IDENTITY
    }
  }
}
