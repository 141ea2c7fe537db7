internal import CMoEKernelsInterface

/// The levels that kernels exist for.
///
/// `MOE_ISA=scalar|avx2|avx512|neon` in the environment forces one, for tests and bisection; a
/// level that the machine or the build lacks becomes the next one below.
package enum InstructionSet: Sendable, Hashable, CaseIterable {
  /// Portable C: the reference for the others.
  case scalar
  /// With FMA and F16C.
  case avx2
  /// F, BW, VL and VNNI.
  case avx512
  /// 64-bit Arm, with the instruction for products of bytes (SDOT) where the processor has it. The
  /// same bits as AVX2. Tested in an emulator only, and never timed.
  case neon

  /// The level in use.
  package static var current: InstructionSet {
    allCases.first { $0.cValue == moe_isa_current() } ?? .scalar
  }

  /// Whether this machine can run the level, whether or not a format has a variant for it.
  package var isSupported: Bool { moe_isa_supported(cValue) != 0 }

  /// As `MOE_ISA` spells it.
  package var name: String { unsafe String(cString: moe_isa_name(cValue)) }

  var cValue: moe_isa {
    switch self {
    case .scalar: MOE_ISA_SCALAR
    case .avx2: MOE_ISA_AVX2
    case .avx512: MOE_ISA_AVX512
    case .neon: MOE_ISA_NEON
    }
  }
}
