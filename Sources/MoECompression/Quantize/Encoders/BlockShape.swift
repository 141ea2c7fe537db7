/// How a format's blocks turn codes to weights: in each group of a block
///
///     weight = step · (code - zero) - minimum
///
/// with the step a 16-bit float or, where blocks have several groups, such a float times an integer
/// of the group's; and the same for the minimum.
package struct BlockShape: Sendable, Hashable {
  package let elementCount: Int
  package let groupElementCount: Int
  /// What an element's code may be; within a byte.
  package let codes: ClosedRange<Int>
  /// The code that stands for 0; where there are minima, 0.
  package let zero: Int
  /// What a group's factor on the block's scale may be; nil: there is one group, and no factor.
  package let scaleCodes: ClosedRange<Int>?
  /// What a group's factor on the block's minimum may be; nil: there are no minima.
  package let minimumCodes: ClosedRange<Int>?

  /// Groups of a block that there may be.
  package static let groupCountMax = 16

  package var groupCount: Int { elementCount / groupElementCount }

  /// Codes around 0, as far as they go down and up.
  var levels: ClosedRange<Float> {
    Float(codes.lowerBound - zero)...Float(codes.upperBound - zero)
  }
}

/// The values that the elements of one block can have.
package struct BlockGrid: Sendable {
  /// What the block stores with 16 bits, as floats.
  package private(set) var scale: Float
  package private(set) var minimum: Float
  /// (group): factors on these; 1 where the format has none.
  package private(set) var scaleCodes: InlineArray<16, Int16>
  package private(set) var minimumCodes: InlineArray<16, Int16>
  /// (group)
  private var steps: InlineArray<16, Float>
  private var minima: InlineArray<16, Float>

  /// A grid on which every element is 0.
  init(scale: Float, minimum: Float) {
    self.scale = scale
    self.minimum = minimum
    scaleCodes = InlineArray(repeating: 0)
    minimumCodes = InlineArray(repeating: 0)
    steps = InlineArray(repeating: 0)
    minima = InlineArray(repeating: 0)
  }

  mutating func set(_ factors: GroupFactors, group: Int) {
    scaleCodes[group] = Int16(factors.scale)
    minimumCodes[group] = Int16(factors.minimum)
    steps[group] = scale * Float(factors.scale)
    minima[group] = minimum * Float(factors.minimum)
  }

  func step(group: Int) -> Float { steps[group] }
  func minimum(group: Int) -> Float { minima[group] }

  /// The values of one group.
  package func rounder(group: Int, _ shape: BlockShape) -> GroupRounder {
    GroupRounder(step: steps[group], minimum: minima[group], shape)
  }
}

/// Rounds to the values of one group of a block.
package struct GroupRounder: ValueRounder {
  private let step: Float
  private let minimum: Float
  private let zero: Int
  private let lowest: Double
  private let highest: Double

  init(step: Float, minimum: Float, _ shape: BlockShape) {
    (self.step, self.minimum, zero) = (step, minimum, shape.zero)
    (lowest, highest) = (Double(shape.codes.lowerBound), Double(shape.codes.upperBound))
  }

  package func code(_ value: Double) -> UInt8 {
    guard step != 0 else { return UInt8(truncatingIfNeeded: zero) }
    let level = (value + Double(minimum)) / Double(step) + Double(zero)
    // In this order a NaN becomes the lowest code; codes are not negative, so that cutting off
    // rounds.
    return UInt8(min(highest, max(lowest, level)) + 0.5)
  }

  package func value(_ code: UInt8) -> Float { step * Float(Int(code) - zero) - minimum }
}

/// Some values that a weight can have, and the code of each.
package protocol ValueRounder {
  /// The code of the nearest value.
  func code(_ value: Double) -> UInt8
  /// What the code is read as, bit for bit.
  func value(_ code: UInt8) -> Float
}

/// A group's factors on its block's scale and minimum.
struct GroupFactors: Equatable {
  var scale: Int
  var minimum: Int
}

extension Float {
  /// The nearest float of 16 bits; the largest for what is beyond it.
  var asHalf: Float {
    let bounded = Swift.min(
      Swift.max(self, -EncodingError.magnitudeMax), EncodingError.magnitudeMax)
    return Float(Float16(bounded))
  }

  /// The bits of a float of 16 bits.
  var halfBits: UInt16 { Float16(self).bitPattern }
}
