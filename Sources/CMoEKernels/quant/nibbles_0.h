/* Blocks of 32 quants of 4 bits in 16 bytes, elements 0...15 in the low halves and 16...31 in the
 * high ones, for activations in the form Q8_0. Before a format's file includes this (once: there is
 * no guard) it defines what unpacked.h says but for `unpack`, the type `block` with its 16 bytes
 * `quants`, and
 *
 *     table         the quants that the numbers of 4 bits stand for, or null
 *     scale_of      a block's scale
 *     minimum_of    what a weight is less by, 0 where quants have an OFFSET
 *     four_scales   for x86, with MOE_HAS_FOUR_SCALES: scales of up to four blocks at once, unless
 *                   they are 16-bit floats `scale`
 *
 * Four blocks of a row are multiplied at a time, a block per 128-bit lane; so blocks are not
 * unpacked first, and what is summed up across lanes is half as much. */
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

#define MOE_HAS_ROWS

MOE_ALWAYS_INLINE __m128i quants_of(const block *b) {
  return _mm_loadu_si128((const __m128i *)b->quants);
}

#ifndef MOE_HAS_FOUR_SCALES

/* A block per lane, zeros behind the last one. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m128 four_scales(const block *b, int blocks) {
  return moe_four_halves_avx2(b->scale, BLOCK_BYTES, blocks);
}

#endif

/* A block per lane: dots are its sum of products, x_sums two sums of its activations. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m128 values_of_dots(const block *w, int blocks, __m128i dots,
                                                        __m128i x_sums, int16_t offset,
                                                        const moe_unpack_level *level) {
  __m128 scales = four_scales(w, blocks);
  if (OFFSET != 0) {
    dots = _mm_sub_epi32(dots, _mm_madd_epi16(x_sums, _mm_set1_epi16(offset)));
    return _mm_mul_ps(scales, _mm_cvtepi32_ps(dots));
  }
  _Alignas(16) float minima[MOE_ROW_BLOCKS] = {0};
#pragma clang loop unroll(full)
  for (int i = 0; i < MOE_ROW_BLOCKS; i++) {
    if (i < blocks) minima[i] = minimum_of(w + i, level);
  }
  __m128 sums = _mm_cvtepi32_ps(_mm_madd_epi16(x_sums, _mm_set1_epi16(1)));
  return _mm_fmsub_ps(scales, _mm_cvtepi32_ps(dots), _mm_mul_ps(_mm_load_ps(minima), sums));
}

MOE_ALWAYS_INLINE __m128i sums_of_x(const int16_t *x_sums, int blocks) {
  __m128i sums = _mm_setzero_si128();
  memcpy(&sums, x_sums, (size_t)blocks * 2 * sizeof *x_sums);
  return sums;
}

/* The halves of two blocks' activations: 16 of each block, then the other 16. Behind the last block
 * they are zeros. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 moe_q8_row order_avx2(moe_q8_row x, size_t blocks,
                                                        moe_row_room *room) {
  for (size_t i = 0; i < blocks; i += 2) {
    int8_t *out = room->quants + i * MOE_Q8_0_ELEMENTS;
    __m256i first = moe_load_256_avx2(x.quants + i * MOE_Q8_0_ELEMENTS);
    __m256i second = _mm256_setzero_si256();
    if (i + 1 < blocks) second = moe_load_256_avx2(x.quants + (i + 1) * MOE_Q8_0_ELEMENTS);
    __m256i low = _mm256_permute2x128_si256(first, second, 0x20);
    __m256i high = _mm256_permute2x128_si256(first, second, 0x31);
    _mm256_store_si256((__m256i *)out, low);
    _mm256_store_si256((__m256i *)(out + 32), high);
    if (!MOE_IS_SIGNED_AVX2) continue;
    out += MOE_ROW_CHUNK_COLUMNS;
    _mm256_store_si256((__m256i *)out, _mm256_abs_epi8(low));
    _mm256_store_si256((__m256i *)(out + 32), _mm256_abs_epi8(high));
  }
  x.quants = room->quants;
  return x;
}

/* Sums of two products, 16 bits each; x has 32 activations in a moe_row_room. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m256i dot_halves_avx2(__m256i numbers, const int8_t *x) {
  __m256i activations = _mm256_load_si256((const __m256i *)x);
  if (table) {
    __m256i values = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table));
    if (MOE_IS_SIGNED_AVX2) values = _mm256_sub_epi8(values, _mm256_set1_epi8((char)OFFSET));
    numbers = _mm256_shuffle_epi8(values, numbers);
  }
  if (!MOE_IS_SIGNED_AVX2) return _mm256_maddubs_epi16(numbers, activations);
  __m256i sizes = _mm256_load_si256((const __m256i *)(x + MOE_ROW_CHUNK_COLUMNS));
  return _mm256_maddubs_epi16(sizes, _mm256_sign_epi8(numbers, activations));
}

/* Four sums of products of each of two blocks: the first one's in the lower half. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m256i dots_of_pair_avx2(const block *w, const int8_t *x,
                                                            int blocks) {
  _Static_assert(MOE_IS_SIGNED_AVX2 || 4 * QUANT_MAX * 127 <= INT16_MAX, "four fit 16 bits");
  const __m256i half = _mm256_set1_epi8(15), one = _mm256_set1_epi16(1);
  if (blocks <= 0) return _mm256_setzero_si256();
  __m256i bytes = _mm256_zextsi128_si256(quants_of(w));
  if (blocks > 1) bytes = _mm256_inserti128_si256(bytes, quants_of(w + 1), 1);
  __m256i low = dot_halves_avx2(_mm256_and_si256(bytes, half), x);
  bytes = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), half);
  __m256i high = dot_halves_avx2(bytes, x + 32);
  if (!MOE_IS_SIGNED_AVX2) return _mm256_madd_epi16(_mm256_add_epi16(low, high), one);
  return _mm256_add_epi32(_mm256_madd_epi16(low, one), _mm256_madd_epi16(high, one));
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m128 row_step_avx2(moe_row_step s, int blocks) {
  const block *w = (const block *)s.w;
  __m256i v01 = dots_of_pair_avx2(w, s.x_quants, blocks);
  __m256i v23 = dots_of_pair_avx2(w + 2, s.x_quants + 64, blocks - 2);
  __m256i v0213 = _mm256_add_epi32(_mm256_unpacklo_epi32(v01, v23),
                                   _mm256_unpackhi_epi32(v01, v23));
  v0213 = _mm256_add_epi32(v0213, _mm256_shuffle_epi32(v0213, 0x4e));
  __m128i dots = _mm_unpacklo_epi32(_mm256_castsi256_si128(v0213),
                                    _mm256_extracti128_si256(v0213, 1));
  const int16_t offset = MOE_IS_SIGNED_AVX2 ? 0 : OFFSET;
  return values_of_dots(w, blocks, dots, sums_of_x(s.x_sums, blocks), offset, &moe_unpack_avx2);
}

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

/* Lane i: the sum of products of block i. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX512 __m128i dots_avx512(const block *w, const int8_t *x,
                                                        int blocks) {
  const __m512i half = _mm512_set1_epi8(15);
  __m512i bytes = _mm512_zextsi128_si512(quants_of(w));
  if (blocks > 1) bytes = _mm512_inserti32x4(bytes, quants_of(w + 1), 1);
  if (blocks > 2) bytes = _mm512_inserti32x4(bytes, quants_of(w + 2), 2);
  if (blocks > 3) bytes = _mm512_inserti32x4(bytes, quants_of(w + 3), 3);
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
  return values_of_dots(w, blocks, dots_avx512(w, s.x_quants, blocks),
                        sums_of_x(s.x_sums, blocks), OFFSET, &moe_unpack_avx512);
}

#endif

#include "unpacked_0.h"
