/* Pieces that the AVX2 kernels share; empty on other processors. */
#ifndef MOE_QUANT_AVX2_H
#define MOE_QUANT_AVX2_H

#include "half.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define MOE_TARGET_AVX2 __attribute__((target("avx2,fma,f16c")))

/* The sum of 8 lanes, always in this order: 4 apart, 2 apart, neighbours. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 float moe_sum_lanes_avx2(__m256 v) {
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/* A 16-bit float at any address, in all lanes. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m256 moe_broadcast_f16_avx2(const uint8_t *bytes) {
  return _mm256_cvtph_ps(_mm_set1_epi16((short)moe_load_u16(bytes)));
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m256i moe_load_256_avx2(const void *bytes) {
  return _mm256_loadu_si256((const __m256i *)bytes);
}

/* Products of unsigned u and signed x in pairs, the pairs by scales and these in pairs again: 8 sums
 * of 4 products. The first step saturates at 16 bits, so the caller knows |u0 x0 + u1 x1| < 2^15. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m256i moe_dot_avx2(__m256i u, __m256i x, __m256i scales) {
  return _mm256_madd_epi16(_mm256_maddubs_epi16(u, x), scales);
}

#endif

#endif
