/* Pieces that the kernels for x86-64 share; empty on other processors. */
#ifndef MOE_QUANT_X86_H
#define MOE_QUANT_X86_H

#include "half.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define MOE_TARGET_AVX2 __attribute__((target("avx2,fma,f16c")))
#define MOE_TARGET_AVX512 \
  __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni")))

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

/* Up to four 16-bit floats, each `stride` bytes behind the one before; the rest is zeros. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m128 moe_four_halves_avx2(const uint8_t *bytes, size_t stride,
                                                              int count) {
  __m128i halves = _mm_cvtsi32_si128(moe_load_u16(bytes));
  if (count > 1) halves = _mm_insert_epi16(halves, moe_load_u16(bytes + stride), 1);
  if (count > 2) halves = _mm_insert_epi16(halves, moe_load_u16(bytes + 2 * stride), 2);
  if (count > 3) halves = _mm_insert_epi16(halves, moe_load_u16(bytes + 3 * stride), 3);
  return _mm_cvtph_ps(halves);
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m256i moe_load_256_avx2(const void *bytes) {
  return _mm256_loadu_si256((const __m256i *)bytes);
}

enum { MOE_CACHE_LINE_BYTES = 64 };

/* Fetches the lines of some bytes into the cache; an address that is nobody's does nothing. */
MOE_ALWAYS_INLINE void moe_prefetch(const void *bytes, size_t byte_count) {
  for (size_t i = 0; i < byte_count; i += MOE_CACHE_LINE_BYTES) {
    _mm_prefetch((const char *)((uintptr_t)bytes + i), _MM_HINT_T0);
  }
}

/* The lines that a row product will read some hundreds of nanoseconds later: the processor's own
 * prefetch ends at a page, and where the rows end too, a line too much costs nothing. */
MOE_ALWAYS_INLINE void moe_prefetch_ahead(const void *w, size_t byte_count) {
  enum { DISTANCE_BYTES = 8192 };
  moe_prefetch((const void *)((uintptr_t)w + DISTANCE_BYTES), byte_count);
}

/* sums + products of unsigned u and signed x, summed in pairs, by scales, and in pairs again: 8
 * sums of 4 products. Pairs saturate at 16 bits: a caller knows that |u0 x0 + u1 x1| < 2^15. */
typedef __m256i (*moe_dot_scaled_fn)(__m256i sums, __m256i u, __m256i x, __m256i scales);

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m256i moe_dot_avx2(__m256i sums, __m256i u, __m256i x,
                                                       __m256i scales) {
  return _mm256_add_epi32(sums, _mm256_madd_epi16(_mm256_maddubs_epi16(u, x), scales));
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX512 __m256i moe_dot_avx512(__m256i sums, __m256i u, __m256i x,
                                                           __m256i scales) {
  return _mm256_dpwssd_epi32(sums, _mm256_maddubs_epi16(u, x), scales);
}

/* 8 sums of 4 products of signed w and x, the latter from -127 on, by scales. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m256i moe_dot_signed_avx2(__m256i sums, __m256i w, __m256i x,
                                                              __m256i scales) {
  return moe_dot_avx2(sums, _mm256_abs_epi8(w), _mm256_sign_epi8(x, w), scales);
}

/* The same for u up to 255, whose pairs would not fit, in sums of 4 products. The scales of a pair
 * of pairs are the same. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX512 __m256i moe_dot_wide_avx512(__m256i sums, __m256i u, __m256i x,
                                                                __m256i scales) {
  __m256i dots = _mm256_dpbusd_epi32(_mm256_setzero_si256(), u, x);
  return _mm256_add_epi32(sums, _mm256_mullo_epi32(dots, _mm256_srai_epi32(scales, 16)));
}

/* 8 sums of 4 products each, under the same condition. Integers are exact, so the levels agree in
 * every bit. */
typedef __m256i (*moe_dot_plain_fn)(__m256i u, __m256i x);

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m256i moe_dot_plain_avx2(__m256i u, __m256i x) {
  return _mm256_madd_epi16(_mm256_maddubs_epi16(u, x), _mm256_set1_epi16(1));
}

/* For u up to 255 too. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX512 __m256i moe_dot_plain_avx512(__m256i u, __m256i x) {
  return _mm256_dpbusd_epi32(_mm256_setzero_si256(), u, x);
}

#endif

#endif
