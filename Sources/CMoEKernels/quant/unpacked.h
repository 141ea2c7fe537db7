/* What a format is unpacked to, unless it has products of its own.
 *
 * A weight is scale * quant - minimum, with a scale for each 16 or 32 columns; the products of that
 * with rows of activations stand once for all formats: in unpacked_k.h for activations in the form
 * Q8_K, in unpacked_0.h for Q8_0. Before a format's file includes one of these it defines
 *
 *     BLOCK_BYTES      of 256 columns (Q8_K) or 32 (Q8_0), which share a scale of activations
 *     GROUP_ELEMENTS   columns that share a scale of weights: 16 or 32
 *     QUANT_MAX        the largest quant; the smallest is 0
 *     OFFSET           what is taken from every quant, or 0 where groups have minima of their own;
 *                      a quant less this is a signed byte
 *     unpack           writes the 256 or 32 columns numbered `index` of those that begin at
 *                      `blocks`, which are whole blocks also where one has 64 columns
 *
 * Unpacking is plain C with vectors of 32 bytes, which the compiler turns into each level's
 * instructions; for what C does not say there is moe_unpack_level. */
#ifndef MOE_QUANT_UNPACKED_H
#define MOE_QUANT_UNPACKED_H

#include "products.h"

/* Whether AVX2, whose products of bytes come in pairs of 16 bits, takes quants less OFFSET: of
 * those of all 8 bits, pairs would not fit. */
#define MOE_IS_SIGNED_AVX2 (QUANT_MAX > 127)

/* Operators work on each byte. A vector is passed by its address: what passes it by value differs
 * from level to level. */
typedef uint8_t moe_bytes_32 __attribute__((vector_size(32)));
typedef int16_t moe_shorts_16 __attribute__((vector_size(32)));
typedef uint32_t moe_words_8 __attribute__((vector_size(32)));
typedef uint64_t moe_longs_4 __attribute__((vector_size(32)));

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

/* 32 columns of a row, for activations in the form Q8_0: a weight is
 * scales[group] * (quant - OFFSET), or scales[0] * quant - minimum. */
typedef struct {
  _Alignas(32) uint8_t quants[MOE_Q8_0_ELEMENTS];
  float scales[2]; /* of each 16 columns; where 32 share one, only the first is read */
  float minimum;   /* not read where quants have an OFFSET */
} moe_unpacked_0;

/* What a level does in its own way, with the same result. */
typedef struct {
  /* A 16-bit float at any address. */
  float (*half)(const uint8_t *bytes);
  /* Each of the 32 bytes, which are 0...15, becomes the table's. */
  void (*look_up)(moe_bytes_32 *bytes, const uint8_t table[16]);
  /* Byte i becomes 255 where bit i is set, 0 elsewhere. */
  void (*spread)(moe_bytes_32 *bytes, uint32_t bits);
  /* Byte i is negated where bit i is set. */
  void (*negate)(moe_bytes_32 *bytes, uint32_t bits);
} moe_unpack_level;

MOE_ALWAYS_INLINE float moe_half_scalar(const uint8_t *bytes) {
  return moe_float_from_f16(moe_load_u16(bytes));
}

MOE_ALWAYS_INLINE void moe_look_up_scalar(moe_bytes_32 *bytes, const uint8_t table[16]) {
  for (int i = 0; i < 32; i++) (*bytes)[i] = table[(*bytes)[i]];
}

MOE_ALWAYS_INLINE void moe_spread_scalar(moe_bytes_32 *bytes, uint32_t bits) {
  for (int i = 0; i < 32; i++) (*bytes)[i] = bits >> i & 1 ? 255 : 0;
}

MOE_ALWAYS_INLINE void moe_negate_scalar(moe_bytes_32 *bytes, uint32_t bits) {
  for (int i = 0; i < 32; i++) (*bytes)[i] = (uint8_t)(bits >> i & 1 ? -(*bytes)[i] : (*bytes)[i]);
}

static const moe_unpack_level moe_unpack_scalar = {moe_half_scalar, moe_look_up_scalar,
                                                   moe_spread_scalar, moe_negate_scalar};

#if defined(__x86_64__)

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 float moe_half_avx2(const uint8_t *bytes) {
  return _cvtsh_ss(moe_load_u16(bytes));
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void moe_look_up_avx2(moe_bytes_32 *bytes,
                                                        const uint8_t table[16]) {
  __m256i both = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table));
  *bytes = (moe_bytes_32)_mm256_shuffle_epi8(both, (__m256i)*bytes);
}

/* Each byte of the bits eight times, and of these each one bit. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void moe_spread_avx2(moe_bytes_32 *bytes, uint32_t bits) {
  const __m256i each = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202,
                                          0x0303030303030303);
  const __m256i own = _mm256_set1_epi64x((long long)0x8040201008040201);
  __m256i eight = _mm256_shuffle_epi8(_mm256_set1_epi32((int)bits), each);
  *bytes = (moe_bytes_32)_mm256_cmpeq_epi8(_mm256_and_si256(eight, own), own);
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void moe_negate_avx2(moe_bytes_32 *bytes, uint32_t bits) {
  moe_bytes_32 negative;
  moe_spread_avx2(&negative, bits);
  *bytes = (*bytes ^ negative) - negative;
}

static const moe_unpack_level moe_unpack_avx2 = {moe_half_avx2, moe_look_up_avx2,
                                                 moe_spread_avx2, moe_negate_avx2};

MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void moe_spread_avx512(moe_bytes_32 *bytes, uint32_t bits) {
  *bytes = (moe_bytes_32)_mm256_movm_epi8(bits);
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void moe_negate_avx512(moe_bytes_32 *bytes, uint32_t bits) {
  __m256i all = (__m256i)*bytes;
  *bytes = (moe_bytes_32)_mm256_mask_sub_epi8(all, bits, _mm256_setzero_si256(), all);
}

static const moe_unpack_level moe_unpack_avx512 = {moe_half_avx2, moe_look_up_avx2,
                                                   moe_spread_avx512, moe_negate_avx512};

#elif defined(__aarch64__)

MOE_ALWAYS_INLINE void moe_look_up_neon(moe_bytes_32 *bytes, const uint8_t table[16]) {
  uint8_t halves[2][16];
  memcpy(halves, bytes, sizeof halves);
  for (int i = 0; i < 2; i++) vst1q_u8(halves[i], vqtbl1q_u8(vld1q_u8(table), vld1q_u8(halves[i])));
  memcpy(bytes, halves, sizeof halves);
}

/* Each byte of the bits eight times, and of these each one bit. */
MOE_ALWAYS_INLINE void moe_spread_neon(moe_bytes_32 *bytes, uint32_t bits) {
  const uint8x16_t own = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201));
  uint8_t halves[2][16];
  for (int i = 0; i < 2; i++) {
    uint8x8_t low = vdup_n_u8((uint8_t)(bits >> (16 * i)));
    uint8x8_t high = vdup_n_u8((uint8_t)(bits >> (16 * i + 8)));
    vst1q_u8(halves[i], vtstq_u8(vcombine_u8(low, high), own));
  }
  memcpy(bytes, halves, sizeof halves);
}

MOE_ALWAYS_INLINE void moe_negate_neon(moe_bytes_32 *bytes, uint32_t bits) {
  moe_bytes_32 negative;
  moe_spread_neon(&negative, bits);
  *bytes = (*bytes ^ negative) - negative;
}

static const moe_unpack_level moe_unpack_neon = {moe_load_f16_neon, moe_look_up_neon,
                                                 moe_spread_neon, moe_negate_neon};

#endif

/* The low halves of 16 bytes and, after them, the high ones. */
MOE_ALWAYS_INLINE void moe_load_halves(moe_bytes_32 *out, const uint8_t bytes[16]) {
  typedef uint8_t bytes_16 __attribute__((vector_size(16)));
  bytes_16 both;
  memcpy(&both, bytes, sizeof both);
  bytes_16 low = both & 15, high = both >> 4;
  *out = __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
                                 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31);
}

/* Bytes as shorts and as words, and shorts as words. */
MOE_ALWAYS_INLINE void moe_widen_bytes(moe_shorts_16 *out, const uint8_t bytes[16]) {
  typedef uint8_t bytes_16 __attribute__((vector_size(16)));
  bytes_16 all;
  memcpy(&all, bytes, sizeof all);
  *out = __builtin_convertvector(all, moe_shorts_16);
}

MOE_ALWAYS_INLINE void moe_widen_bytes_8(moe_words_8 *out, const uint8_t bytes[8]) {
  typedef uint8_t bytes_8 __attribute__((vector_size(8)));
  bytes_8 all;
  memcpy(&all, bytes, sizeof all);
  *out = __builtin_convertvector(all, moe_words_8);
}

MOE_ALWAYS_INLINE void moe_widen_pairs(moe_words_8 *out, const uint8_t pairs[16]) {
  typedef uint16_t pairs_8 __attribute__((vector_size(16)));
  pairs_8 all;
  memcpy(&all, pairs, sizeof all);
  *out = __builtin_convertvector(all, moe_words_8);
}

/* The halves of each of 8 bytes, from the low one on, in a word's lower and upper 16 bits. */
MOE_ALWAYS_INLINE void moe_spread_halves(moe_words_8 *out, const uint8_t bytes[8]) {
  moe_words_8 words;
  moe_widen_bytes_8(&words, bytes);
  *out = (words & 15) | (words & 0xf0) << 12;
}

/* The low and the high half of each of 16 bytes. */
MOE_ALWAYS_INLINE void moe_load_halves_in_turn(moe_bytes_32 *out, const uint8_t bytes[16]) {
  moe_shorts_16 all;
  moe_widen_bytes(&all, bytes);
  *out = (moe_bytes_32)((all & 15) | (all & 0xf0) << 4);
}

/* Scales of quants with an offset: a word's lower 16 bits those of the 16 columns before. */
MOE_ALWAYS_INLINE void moe_set_scales(moe_unpacked_k *out, const moe_words_8 *pairs, int offset) {
  moe_shorts_16 scales = (moe_shorts_16)*pairs, minima = scales * (int16_t)offset;
  memcpy(out->scales, &scales, sizeof scales);
  memcpy(out->minima, &minima, sizeof minima);
}

/* The same of groups of 32 columns, with the scale in the lower 16 bits of a word. */
MOE_ALWAYS_INLINE void moe_set_scales_32(moe_unpacked_k *out, const moe_words_8 *scales,
                                         int offset) {
  moe_words_8 pairs = (*scales & 0xffff) * 0x10001;
  moe_set_scales(out, &pairs, offset);
}

/* Floats of 4 bits (E2M1): 0, 0.5, 1, 1.5, 2, 3, 4, 6 and these negated; twice, plus 12. */
static const uint8_t moe_e2m1_table[16] = {12, 13, 14, 15, 16, 18, 20, 24,
                                           12, 11, 10, 9,  8,  6,  4,  0};

/* The values of 4 bits in IQ4_NL and IQ4_XS: -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25,
 * 38, 53, 69, 89 and 113; plus 127. */
static const uint8_t moe_iq4_table[16] = {0,   23,  44,  62,  78,  92,  105, 117,
                                          128, 140, 152, 165, 180, 196, 216, 240};
enum { MOE_IQ4_OFFSET = 127, MOE_IQ4_QUANT_MAX = 240 };

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
