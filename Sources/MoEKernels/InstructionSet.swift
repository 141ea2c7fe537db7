internal import CMoEKernels

/// A level of vector instructions that kernels are written for.
package enum InstructionSet: String, Sendable, Hashable, CaseIterable {
  case scalar, avx2, avx512, neon

  /// What kernels use: the best of this machine, or what the environment's `MOE_ISA` forces.
  package static var current: InstructionSet { InstructionSet(moe_isa_current()) ?? .scalar }

  init?(_ value: moe_isa) {
    switch value {
    case MOE_ISA_SCALAR: self = .scalar
    case MOE_ISA_AVX2: self = .avx2
    case MOE_ISA_AVX512: self = .avx512
    case MOE_ISA_NEON: self = .neon
    default: return nil
    }
  }

  var cValue: moe_isa {
    switch self {
    case .scalar: MOE_ISA_SCALAR
    case .avx2: MOE_ISA_AVX2
    case .avx512: MOE_ISA_AVX512
    case .neon: MOE_ISA_NEON
    }
  }
}
