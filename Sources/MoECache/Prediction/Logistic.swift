/// 1 / (1 + e^-x), eight at a time, to about 1e-6.
///
/// e^y as 2^n times a polynomial of the rest: the same bits on every machine, where the C library's
/// function need not give them.
package func logistic(_ x: SIMD8<Float>) -> SIMD8<Float> {
  let limit = SIMD8<Float>(repeating: 40)
  let y = (-x).clamped(lowerBound: -limit, upperBound: limit) * Float(1.442_695_04)
  let whole = y.rounded(.toNearestOrEven)
  let t = (y - whole) * Float(0.693_147_18)
  // Taylor's series of e^t for |t| <= ln(2) / 2: the next term is below 3e-6 / 7.
  var power = t * Float(1.0 / 720) + Float(1.0 / 120)
  power = power * t + Float(1.0 / 24)
  power = power * t + Float(1.0 / 6)
  power = power * t + Float(0.5)
  power = power * t + Float(1)
  power = power * t + Float(1)
  let exponent = SIMD8<Int32>(whole) &+ 127
  let scale = unsafe unsafeBitCast(exponent &<< 23, to: SIMD8<Float>.self)
  return 1 / (1 + power * scale)
}
