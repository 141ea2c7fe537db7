/* The exponential function of floats: one algorithm, as a scalar and on four, eight and sixteen
 * lanes, which give the same bits. Error at most 1 unit in the last place over the whole range;
 * subnormal results are rounded correctly to that accuracy; exp(-infinity) is 0, overflow is
 * infinity, NaN stays NaN.
 *
 * x = n ln 2 + r with |r| <= ln 2 / 2 (Cody and Waite's two-part ln 2), exp(r) by a polynomial of
 * degree 6 fitted to 3e-9 relative error, and 2^n in two factors, so that neither overflows where
 * the product does not. */
#ifndef MOE_EXP_H
#define MOE_EXP_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "ops.h"

/* Beyond these the result is 0 or infinity in any case. */
#define MOE_EXP_LEAST -104.0f
#define MOE_EXP_MOST 89.0f
#define MOE_EXP_LOG2_E 0x1.715476p0f
#define MOE_EXP_LN2_HIGH 0x1.62e4p-1f
#define MOE_EXP_LN2_LOW 0x1.7f7d1cp-20f
/* Adding it leaves a float's integer part in the low bits, rounded to nearest. */
#define MOE_EXP_SHIFT 0x1.8p23f
#define MOE_EXP_SHIFT_BITS 0x4b400000u
#define MOE_EXP_C2 0x1.fffffcp-2f
#define MOE_EXP_C3 0x1.555492p-3f
#define MOE_EXP_C4 0x1.5558f2p-5f
#define MOE_EXP_C5 0x1.123a2p-7f
#define MOE_EXP_C6 0x1.6a23dp-10f

/* 2^exponent, for exponents of normal numbers; anything for others. */
MOE_INLINE float moe_power_of_2(int32_t exponent) {
  uint32_t bits = ((uint32_t)exponent + 127u) << 23;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

MOE_INLINE float moe_exp(float x) {
  x = x < MOE_EXP_LEAST ? MOE_EXP_LEAST : x;
  x = x > MOE_EXP_MOST ? MOE_EXP_MOST : x;
  float shifted = fmaf(x, MOE_EXP_LOG2_E, MOE_EXP_SHIFT);
  float n = shifted - MOE_EXP_SHIFT;
  float r = fmaf(n, -MOE_EXP_LN2_LOW, fmaf(n, -MOE_EXP_LN2_HIGH, x));
  float p = fmaf(r, MOE_EXP_C6, MOE_EXP_C5);
  p = fmaf(r, p, MOE_EXP_C4);
  p = fmaf(r, p, MOE_EXP_C3);
  p = fmaf(r, p, MOE_EXP_C2);
  p = fmaf(r, p, 1.0f);
  p = fmaf(r, p, 1.0f);
  uint32_t bits;
  memcpy(&bits, &shifted, sizeof bits);
  int32_t exponent = (int32_t)(bits - MOE_EXP_SHIFT_BITS);
  int32_t half = exponent >> 1;
  return p * moe_power_of_2(half) * moe_power_of_2((int32_t)((uint32_t)exponent - (uint32_t)half));
}

#if defined(__x86_64__)
#include <immintrin.h>

MOE_INLINE MOE_AVX2 __m256 moe_power_of_2_avx2(__m256i exponent) {
  __m256i biased = _mm256_add_epi32(exponent, _mm256_set1_epi32(127));
  return _mm256_castsi256_ps(_mm256_slli_epi32(biased, 23));
}

MOE_INLINE MOE_AVX2 __m256 moe_exp_avx2(__m256 x) {
  /* max and min return their second operand where one is NaN. */
  x = _mm256_max_ps(_mm256_set1_ps(MOE_EXP_LEAST), x);
  x = _mm256_min_ps(_mm256_set1_ps(MOE_EXP_MOST), x);
  const __m256 shift = _mm256_set1_ps(MOE_EXP_SHIFT), one = _mm256_set1_ps(1.0f);
  __m256 shifted = _mm256_fmadd_ps(x, _mm256_set1_ps(MOE_EXP_LOG2_E), shift);
  __m256 n = _mm256_sub_ps(shifted, shift);
  __m256 r = _mm256_fmadd_ps(n, _mm256_set1_ps(-MOE_EXP_LN2_HIGH), x);
  r = _mm256_fmadd_ps(n, _mm256_set1_ps(-MOE_EXP_LN2_LOW), r);
  __m256 p = _mm256_fmadd_ps(r, _mm256_set1_ps(MOE_EXP_C6), _mm256_set1_ps(MOE_EXP_C5));
  p = _mm256_fmadd_ps(r, p, _mm256_set1_ps(MOE_EXP_C4));
  p = _mm256_fmadd_ps(r, p, _mm256_set1_ps(MOE_EXP_C3));
  p = _mm256_fmadd_ps(r, p, _mm256_set1_ps(MOE_EXP_C2));
  p = _mm256_fmadd_ps(r, p, one);
  p = _mm256_fmadd_ps(r, p, one);
  __m256i exponent =
      _mm256_sub_epi32(_mm256_castps_si256(shifted), _mm256_castps_si256(shift));
  __m256i half = _mm256_srai_epi32(exponent, 1);
  p = _mm256_mul_ps(p, moe_power_of_2_avx2(half));
  return _mm256_mul_ps(p, moe_power_of_2_avx2(_mm256_sub_epi32(exponent, half)));
}

MOE_INLINE MOE_AVX512 __m512 moe_power_of_2_avx512(__m512i exponent) {
  __m512i biased = _mm512_add_epi32(exponent, _mm512_set1_epi32(127));
  return _mm512_castsi512_ps(_mm512_slli_epi32(biased, 23));
}

MOE_INLINE MOE_AVX512 __m512 moe_exp_avx512(__m512 x) {
  /* max and min return their second operand where one is NaN. */
  x = _mm512_max_ps(_mm512_set1_ps(MOE_EXP_LEAST), x);
  x = _mm512_min_ps(_mm512_set1_ps(MOE_EXP_MOST), x);
  const __m512 shift = _mm512_set1_ps(MOE_EXP_SHIFT), one = _mm512_set1_ps(1.0f);
  __m512 shifted = _mm512_fmadd_ps(x, _mm512_set1_ps(MOE_EXP_LOG2_E), shift);
  __m512 n = _mm512_sub_ps(shifted, shift);
  __m512 r = _mm512_fmadd_ps(n, _mm512_set1_ps(-MOE_EXP_LN2_HIGH), x);
  r = _mm512_fmadd_ps(n, _mm512_set1_ps(-MOE_EXP_LN2_LOW), r);
  __m512 p = _mm512_fmadd_ps(r, _mm512_set1_ps(MOE_EXP_C6), _mm512_set1_ps(MOE_EXP_C5));
  p = _mm512_fmadd_ps(r, p, _mm512_set1_ps(MOE_EXP_C4));
  p = _mm512_fmadd_ps(r, p, _mm512_set1_ps(MOE_EXP_C3));
  p = _mm512_fmadd_ps(r, p, _mm512_set1_ps(MOE_EXP_C2));
  p = _mm512_fmadd_ps(r, p, one);
  p = _mm512_fmadd_ps(r, p, one);
  __m512i exponent =
      _mm512_sub_epi32(_mm512_castps_si512(shifted), _mm512_castps_si512(shift));
  __m512i half = _mm512_srai_epi32(exponent, 1);
  p = _mm512_mul_ps(p, moe_power_of_2_avx512(half));
  return _mm512_mul_ps(p, moe_power_of_2_avx512(_mm512_sub_epi32(exponent, half)));
}
#elif defined(__aarch64__)
#include <arm_neon.h>

MOE_INLINE float32x4_t moe_power_of_2_neon(int32x4_t exponent) {
  return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(exponent, vdupq_n_s32(127)), 23));
}

MOE_INLINE float32x4_t moe_exp_neon(float32x4_t x) {
  /* Both are NaN where x is. */
  x = vmaxq_f32(x, vdupq_n_f32(MOE_EXP_LEAST));
  x = vminq_f32(x, vdupq_n_f32(MOE_EXP_MOST));
  const float32x4_t shift = vdupq_n_f32(MOE_EXP_SHIFT), one = vdupq_n_f32(1.0f);
  float32x4_t shifted = vfmaq_f32(shift, x, vdupq_n_f32(MOE_EXP_LOG2_E));
  float32x4_t n = vsubq_f32(shifted, shift);
  float32x4_t r = vfmaq_f32(x, n, vdupq_n_f32(-MOE_EXP_LN2_HIGH));
  r = vfmaq_f32(r, n, vdupq_n_f32(-MOE_EXP_LN2_LOW));
  float32x4_t p = vfmaq_f32(vdupq_n_f32(MOE_EXP_C5), r, vdupq_n_f32(MOE_EXP_C6));
  p = vfmaq_f32(vdupq_n_f32(MOE_EXP_C4), r, p);
  p = vfmaq_f32(vdupq_n_f32(MOE_EXP_C3), r, p);
  p = vfmaq_f32(vdupq_n_f32(MOE_EXP_C2), r, p);
  p = vfmaq_f32(one, r, p);
  p = vfmaq_f32(one, r, p);
  int32x4_t exponent = vsubq_s32(vreinterpretq_s32_f32(shifted), vreinterpretq_s32_f32(shift));
  int32x4_t half = vshrq_n_s32(exponent, 1);
  p = vmulq_f32(p, moe_power_of_2_neon(half));
  return vmulq_f32(p, moe_power_of_2_neon(vsubq_s32(exponent, half)));
}
#endif

#endif
