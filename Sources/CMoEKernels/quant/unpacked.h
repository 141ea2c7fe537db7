/* What a format is unpacked to, where it has no products of its own.
 *
 * A weight is scale * quant - minimum, with quants of 0...127 and a scale for each 16 or 32 columns;
 * the products of that with rows of activations stand once for all formats: in unpacked_k.h for
 * activations in the form Q8_K, in unpacked_0.h for Q8_0. A format's file defines before it includes
 * one of these
 *
 *     BLOCK_BYTES         of the 256 (Q8_K) or 32 (Q8_0) columns that have one scale of activations
 *     GROUP_ELEMENTS      columns that share a scale of weights: 16 or 32
 *     QUANT_MAX           the largest quant
 *     unpack              writes block `index` of those that begin at `blocks`
 *
 * and says how minima are meant: all quants have the same OFFSET, or each group its own minimum
 * (OFFSET 0). Unpacking is plain C with vectors of 32 bytes, which the compiler turns into each
 * level's instructions; for what C does not say there is moe_unpack_level. */
#ifndef MOE_QUANT_UNPACKED_H
#define MOE_QUANT_UNPACKED_H

#include "products.h"

/* Operators work on each byte. A vector is passed by its address: what passes it by value differs
 * from level to level. */
typedef uint8_t moe_bytes_32 __attribute__((vector_size(32)));

/* 256 columns of a row, for activations in the form Q8_K: a weight is
 * scale * scales[group] * quant - minimum * minima[group]. */
typedef struct {
  _Alignas(32) uint8_t quants[MOE_Q8_K_ELEMENTS];
  /* Of each 16 columns, also where 32 share them. Where quants have an OFFSET, minima are
   * scales * OFFSET and `minimum` is not read. */
  _Alignas(32) int16_t scales[MOE_Q8_K_SUMS];
  _Alignas(32) int16_t minima[MOE_Q8_K_SUMS];
  float scale, minimum;
} moe_unpacked_k;

/* 32 columns of a row, for activations in the form Q8_0: a weight is scale * (quant - OFFSET). */
typedef struct {
  _Alignas(32) uint8_t quants[MOE_Q8_0_ELEMENTS];
  float scale;
} moe_unpacked_0;

/* What a level does in its own way, with the same result. */
typedef struct {
  /* A 16-bit float at any address. */
  float (*half)(const uint8_t *bytes);
  /* Each of the 32 bytes, which are 0...15, becomes the table's. */
  void (*look_up)(moe_bytes_32 *bytes, const uint8_t table[16]);
} moe_unpack_level;

MOE_ALWAYS_INLINE float moe_half_scalar(const uint8_t *bytes) {
  return moe_float_from_f16(moe_load_u16(bytes));
}

MOE_ALWAYS_INLINE void moe_look_up_scalar(moe_bytes_32 *bytes, const uint8_t table[16]) {
  for (int i = 0; i < 32; i++) (*bytes)[i] = table[(*bytes)[i]];
}

static const moe_unpack_level moe_unpack_scalar = {moe_half_scalar, moe_look_up_scalar};

#if defined(__x86_64__)

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 float moe_half_avx2(const uint8_t *bytes) {
  return _cvtsh_ss(moe_load_u16(bytes));
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void moe_look_up_avx2(moe_bytes_32 *bytes,
                                                        const uint8_t table[16]) {
  __m256i both = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table));
  *bytes = (moe_bytes_32)_mm256_shuffle_epi8(both, (__m256i)*bytes);
}

static const moe_unpack_level moe_unpack_avx2 = {moe_half_avx2, moe_look_up_avx2};

#elif defined(__aarch64__)

MOE_ALWAYS_INLINE void moe_look_up_neon(moe_bytes_32 *bytes, const uint8_t table[16]) {
  uint8_t halves[2][16];
  memcpy(halves, bytes, sizeof halves);
  for (int i = 0; i < 2; i++) vst1q_u8(halves[i], vqtbl1q_u8(vld1q_u8(table), vld1q_u8(halves[i])));
  memcpy(bytes, halves, sizeof halves);
}

static const moe_unpack_level moe_unpack_neon = {moe_load_f16_neon, moe_look_up_neon};

#endif

/* The low and the high halves of 16 bytes, one after the other. */
MOE_ALWAYS_INLINE void moe_load_halves(moe_bytes_32 *out, const uint8_t bytes[16]) {
  uint8_t twice[32];
  memcpy(twice, bytes, 16);
  memcpy(twice + 16, bytes, 16);
  memcpy(out, twice, 32);
  moe_bytes_32 high = *out >> 4;
  *out = __builtin_shufflevector(*out & 15, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
                                 15, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63);
}

/* Scales and minima of 8 groups in 12 bytes, as Q4_K and Q5_K have them: of 6 bits each. */
typedef struct {
  uint64_t scales, minima; /* a byte each, in group order */
} moe_group_factors;

/* Groups 0...3 have their 6 bits in bytes 0...3 (scales) and 4...7 (minima); groups 4...7 have the
 * low 4 bits in bytes 8...11 (scale low, minimum high) and the others on top of bytes 0...7. */
MOE_ALWAYS_INLINE moe_group_factors moe_unpack_factors(const uint8_t packed[12]) {
  uint32_t a = moe_load_u32(packed), b = moe_load_u32(packed + 4), c = moe_load_u32(packed + 8);
  uint32_t high_scales = (c & 0x0f0f0f0f) | (a >> 2 & 0x30303030);
  uint32_t high_minima = (c >> 4 & 0x0f0f0f0f) | (b >> 2 & 0x30303030);
  return (moe_group_factors){(uint64_t)high_scales << 32 | (a & 0x3f3f3f3f),
                             (uint64_t)high_minima << 32 | (b & 0x3f3f3f3f)};
}

#endif
