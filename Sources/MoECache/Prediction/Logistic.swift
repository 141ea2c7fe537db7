/// 1 / (1 + e^-x), eight at a time, to about 1e-6.
///
/// e^y as 2^n times a polynomial of the rest: the same bits on every machine, where the C library's
/// function need not give them.
@inline(__always)
package func logistic(_ x: SIMD8<Float>) -> SIMD8<Float> {
  let limit = SIMD8<Float>(repeating: 40)
  var y = -x
  y.replace(with: limit, where: y .> limit)
  y.replace(with: -limit, where: y .< -limit)
  y *= Float(1.442_695_04)
  // Added to 3 * 2^22, a number this small is rounded to the nearest whole one, even where two are,
  // which the sum's lowest bits then are. The library's roundings and conversions are calls for
  // each number.
  let shifted = y + Float(12_582_912)
  let whole = shifted - Float(12_582_912)
  let t = (y - whole) * Float(0.693_147_18)
  // Taylor's series of e^t for |t| <= ln(2) / 2: the next term is below 3e-6 / 7.
  var power = t * Float(1.0 / 720) + Float(1.0 / 120)
  power = power * t + Float(1.0 / 24)
  power = power * t + Float(1.0 / 6)
  power = power * t + Float(0.5)
  power = power * t + Float(1)
  power = power * t + Float(1)
  let exponent = unsafe unsafeBitCast(shifted, to: SIMD8<Int32>.self) &+ 127
  let scale = unsafe unsafeBitCast(exponent &<< 23, to: SIMD8<Float>.self)
  return 1 / (1 + power * scale)
}
