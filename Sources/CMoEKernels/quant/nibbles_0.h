/* Blocks of 32 quants of 4 bits in 16 bytes, elements 0...15 in the low halves and 16...31 in the
 * high ones, for activations in the form Q8_0. Before a format's file includes this (once: there is
 * no guard) it defines what unpacked.h says but for `unpack`, the type `block` with its 16 bytes
 * `quants`, and
 *
 *     table         the quants that the numbers of 4 bits stand for, or null
 *     scale_of      a block's scale
 *     minimum_of    what a weight is less by, 0 where quants have an OFFSET
 *
 * AVX-512 multiplies four blocks of a row at a time: a block per 128-bit lane. */
#include "rows.h"
#include "unpacked.h"

MOE_ALWAYS_INLINE void unpack(const uint8_t *blocks, size_t index, moe_unpacked_0 *out,
                              const moe_unpack_level *level) {
  const block *b = (const block *)blocks + index;
  moe_bytes_32 quants;
  moe_load_halves(&quants, b->quants);
  if (table) level->look_up(&quants, table);
  memcpy(out->quants, &quants, sizeof quants);
  out->scales[0] = scale_of(b, level);
  out->minimum = minimum_of(b, level);
}

#if defined(__x86_64__)

#define MOE_HAS_ROWS_AVX512

/* The halves of four blocks' activations: 16 of each block, then the other 16. Behind the last
 * block they are zeros. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX512 moe_q8_row order_avx512(moe_q8_row x, size_t blocks,
                                                              moe_row_room *room) {
  size_t whole = blocks / MOE_ROW_BLOCKS * MOE_ROW_BLOCKS;
  int8_t *out = room->quants;
  for (size_t i = 0; i < blocks; i += MOE_ROW_BLOCKS, out += 128) {
    _Alignas(64) int8_t rest[128] = {0};
    const int8_t *four = x.quants + i * MOE_Q8_0_ELEMENTS;
    if (i == whole) {
      memcpy(rest, four, (blocks - whole) * MOE_Q8_0_ELEMENTS);
      four = rest;
    }
    __m512i blocks01 = _mm512_loadu_si512(four), blocks23 = _mm512_loadu_si512(four + 64);
    _mm512_store_si512(out, _mm512_shuffle_i64x2(blocks01, blocks23, 0x88));
    _mm512_store_si512(out + 64, _mm512_shuffle_i64x2(blocks01, blocks23, 0xdd));
  }
  x.quants = room->quants;
  return x;
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX512 __m128i quants_of_avx512(const block *b) {
  return _mm_loadu_si128((const __m128i *)b->quants);
}

/* Lane i: the sum of products of block i. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX512 __m128i dots_avx512(const block *w, const int8_t *x,
                                                        int blocks) {
  const __m512i half = _mm512_set1_epi8(15);
  __m512i bytes = _mm512_zextsi128_si512(quants_of_avx512(w));
  if (blocks > 1) bytes = _mm512_inserti32x4(bytes, quants_of_avx512(w + 1), 1);
  if (blocks > 2) bytes = _mm512_inserti32x4(bytes, quants_of_avx512(w + 2), 2);
  if (blocks > 3) bytes = _mm512_inserti32x4(bytes, quants_of_avx512(w + 3), 3);
  __m512i low = _mm512_and_si512(bytes, half);
  __m512i high = _mm512_and_si512(_mm512_srli_epi16(bytes, 4), half);
  if (table) {
    __m512i four = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)table));
    low = _mm512_shuffle_epi8(four, low);
    high = _mm512_shuffle_epi8(four, high);
  }
  __m512i dots = _mm512_dpbusd_epi32(_mm512_setzero_si512(), low, _mm512_load_si512(x));
  dots = _mm512_dpbusd_epi32(dots, high, _mm512_load_si512(x + 64));
  dots = _mm512_add_epi32(dots, _mm512_shuffle_epi32(dots, 0x4e));
  dots = _mm512_add_epi32(dots, _mm512_shuffle_epi32(dots, 0xb1));
  const __m512i firsts = _mm512_zextsi128_si512(_mm_setr_epi32(0, 4, 8, 12));
  return _mm512_castsi512_si128(_mm512_permutexvar_epi32(firsts, dots));
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX512 __m128 row_step_avx512(moe_row_step s, int blocks) {
  const block *w = (const block *)s.w;
  __m128i x_sums = _mm_setzero_si128();
  memcpy(&x_sums, s.x_sums, (size_t)blocks * 2 * sizeof *s.x_sums);
  __m128i dots = dots_avx512(w, s.x_quants, blocks);
  _Alignas(16) float scales[MOE_ROW_BLOCKS] = {0}, minima[MOE_ROW_BLOCKS] = {0};
#pragma clang loop unroll(full)
  for (int i = 0; i < blocks; i++) {
    scales[i] = scale_of(w + i, &moe_unpack_avx512);
    if (OFFSET == 0) minima[i] = minimum_of(w + i, &moe_unpack_avx512);
  }
  __m128 scale = _mm_load_ps(scales);
  if (OFFSET != 0) {
    dots = _mm_sub_epi32(dots, _mm_madd_epi16(x_sums, _mm_set1_epi16(OFFSET)));
    return _mm_mul_ps(scale, _mm_cvtepi32_ps(dots));
  }
  __m128 sums = _mm_cvtepi32_ps(_mm_madd_epi16(x_sums, _mm_set1_epi16(1)));
  return _mm_fmsub_ps(scale, _mm_cvtepi32_ps(dots), _mm_mul_ps(_mm_load_ps(minima), sums));
}

#endif

#include "unpacked_0.h"
