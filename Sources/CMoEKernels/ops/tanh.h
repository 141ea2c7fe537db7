/* The hyperbolic tangent of floats: one algorithm, as a scalar and on four, eight and sixteen
 * lanes, which give the same bits. Relative error at most 4 units in the last place, near 0 as
 * well; NaN stays NaN.
 *
 * tanh(x) = e / (e + 2) with e = exp(2 |x|) - 1, and the sign of x. The exponential function is
 * that of exp.h, less its 1: from exp(r) - 1 and 2^n - 1, both free of cancellation. */
#ifndef MOE_TANH_H
#define MOE_TANH_H

#include "exp.h"

/* Half of it: from there on the result rounds to 1. */
#define MOE_TANH_MOST 20.0f

MOE_INLINE float moe_tanh(float x) {
  float twice = 2 * fabsf(x);
  twice = twice > MOE_TANH_MOST ? MOE_TANH_MOST : twice;
  float shifted = fmaf(twice, MOE_EXP_LOG2_E, MOE_EXP_SHIFT);
  float n = shifted - MOE_EXP_SHIFT;
  float r = fmaf(n, -MOE_EXP_LN2_LOW, fmaf(n, -MOE_EXP_LN2_HIGH, twice));
  float p = fmaf(r, MOE_EXP_C6, MOE_EXP_C5);
  p = fmaf(r, p, MOE_EXP_C4);
  p = fmaf(r, p, MOE_EXP_C3);
  p = fmaf(r, p, MOE_EXP_C2);
  p = fmaf(r * r, p, r);
  uint32_t bits;
  memcpy(&bits, &shifted, sizeof bits);
  float power = moe_power_of_2((int32_t)(bits - MOE_EXP_SHIFT_BITS));
  float e = fmaf(p, power, power - 1.0f);
  return copysignf(e / (e + 2.0f), x);
}

#if defined(__x86_64__)
MOE_INLINE MOE_AVX2 __m256 moe_tanh_avx2(__m256 x) {
  const __m256 sign = _mm256_set1_ps(-0.0f), one = _mm256_set1_ps(1.0f);
  const __m256 shift = _mm256_set1_ps(MOE_EXP_SHIFT);
  __m256 size = _mm256_andnot_ps(sign, x);
  /* min returns its second operand where one is NaN. */
  __m256 twice = _mm256_min_ps(_mm256_set1_ps(MOE_TANH_MOST), _mm256_add_ps(size, size));
  __m256 shifted = _mm256_fmadd_ps(twice, _mm256_set1_ps(MOE_EXP_LOG2_E), shift);
  __m256 n = _mm256_sub_ps(shifted, shift);
  __m256 r = _mm256_fmadd_ps(n, _mm256_set1_ps(-MOE_EXP_LN2_HIGH), twice);
  r = _mm256_fmadd_ps(n, _mm256_set1_ps(-MOE_EXP_LN2_LOW), r);
  __m256 p = _mm256_fmadd_ps(r, _mm256_set1_ps(MOE_EXP_C6), _mm256_set1_ps(MOE_EXP_C5));
  p = _mm256_fmadd_ps(r, p, _mm256_set1_ps(MOE_EXP_C4));
  p = _mm256_fmadd_ps(r, p, _mm256_set1_ps(MOE_EXP_C3));
  p = _mm256_fmadd_ps(r, p, _mm256_set1_ps(MOE_EXP_C2));
  p = _mm256_fmadd_ps(_mm256_mul_ps(r, r), p, r);
  __m256i exponent =
      _mm256_sub_epi32(_mm256_castps_si256(shifted), _mm256_castps_si256(shift));
  __m256 power = moe_power_of_2_avx2(exponent);
  __m256 e = _mm256_fmadd_ps(p, power, _mm256_sub_ps(power, one));
  __m256 result = _mm256_div_ps(e, _mm256_add_ps(e, _mm256_set1_ps(2.0f)));
  return _mm256_or_ps(result, _mm256_and_ps(sign, x));
}

MOE_INLINE MOE_AVX512 __m512 moe_tanh_avx512(__m512 x) {
  const __m512i sign = _mm512_set1_epi32(INT32_MIN);
  const __m512 shift = _mm512_set1_ps(MOE_EXP_SHIFT), one = _mm512_set1_ps(1.0f);
  __m512 size = _mm512_abs_ps(x);
  /* min returns its second operand where one is NaN. */
  __m512 twice = _mm512_min_ps(_mm512_set1_ps(MOE_TANH_MOST), _mm512_add_ps(size, size));
  __m512 shifted = _mm512_fmadd_ps(twice, _mm512_set1_ps(MOE_EXP_LOG2_E), shift);
  __m512 n = _mm512_sub_ps(shifted, shift);
  __m512 r = _mm512_fmadd_ps(n, _mm512_set1_ps(-MOE_EXP_LN2_HIGH), twice);
  r = _mm512_fmadd_ps(n, _mm512_set1_ps(-MOE_EXP_LN2_LOW), r);
  __m512 p = _mm512_fmadd_ps(r, _mm512_set1_ps(MOE_EXP_C6), _mm512_set1_ps(MOE_EXP_C5));
  p = _mm512_fmadd_ps(r, p, _mm512_set1_ps(MOE_EXP_C4));
  p = _mm512_fmadd_ps(r, p, _mm512_set1_ps(MOE_EXP_C3));
  p = _mm512_fmadd_ps(r, p, _mm512_set1_ps(MOE_EXP_C2));
  p = _mm512_fmadd_ps(_mm512_mul_ps(r, r), p, r);
  __m512i exponent =
      _mm512_sub_epi32(_mm512_castps_si512(shifted), _mm512_castps_si512(shift));
  __m512 power = moe_power_of_2_avx512(exponent);
  __m512 e = _mm512_fmadd_ps(p, power, _mm512_sub_ps(power, one));
  __m512 result = _mm512_div_ps(e, _mm512_add_ps(e, _mm512_set1_ps(2.0f)));
  __m512i signs = _mm512_and_si512(sign, _mm512_castps_si512(x));
  return _mm512_castsi512_ps(_mm512_or_si512(_mm512_castps_si512(result), signs));
}
#elif defined(__aarch64__)
MOE_INLINE float32x4_t moe_tanh_neon(float32x4_t x) {
  const float32x4_t shift = vdupq_n_f32(MOE_EXP_SHIFT), one = vdupq_n_f32(1.0f);
  float32x4_t size = vabsq_f32(x);
  /* NaN where x is. */
  float32x4_t twice = vminq_f32(vaddq_f32(size, size), vdupq_n_f32(MOE_TANH_MOST));
  float32x4_t shifted = vfmaq_f32(shift, twice, vdupq_n_f32(MOE_EXP_LOG2_E));
  float32x4_t n = vsubq_f32(shifted, shift);
  float32x4_t r = vfmaq_f32(twice, n, vdupq_n_f32(-MOE_EXP_LN2_HIGH));
  r = vfmaq_f32(r, n, vdupq_n_f32(-MOE_EXP_LN2_LOW));
  float32x4_t p = vfmaq_f32(vdupq_n_f32(MOE_EXP_C5), r, vdupq_n_f32(MOE_EXP_C6));
  p = vfmaq_f32(vdupq_n_f32(MOE_EXP_C4), r, p);
  p = vfmaq_f32(vdupq_n_f32(MOE_EXP_C3), r, p);
  p = vfmaq_f32(vdupq_n_f32(MOE_EXP_C2), r, p);
  p = vfmaq_f32(r, vmulq_f32(r, r), p);
  int32x4_t exponent = vsubq_s32(vreinterpretq_s32_f32(shifted), vreinterpretq_s32_f32(shift));
  float32x4_t power = moe_power_of_2_neon(exponent);
  float32x4_t e = vfmaq_f32(vsubq_f32(power, one), p, power);
  float32x4_t result = vdivq_f32(e, vaddq_f32(e, vdupq_n_f32(2.0f)));
  return vbslq_f32(vdupq_n_u32(0x80000000u), x, result);
}
#endif

#endif
