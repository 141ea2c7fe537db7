/* IQ1_M: blocks of 256 in 16 groups of 16. An element is scale * (v + delta), where v is -1, 0 or 1
 * from a table of eights, and delta an eighth, with a sign for 8 columns; the scale of a group is
 * an odd number of 4 bits, by a 16-bit float. Activations are Q8_K. */
#include "grids.h"

/* Quants are 8 times the sum, which is -9 to 9; so scales are an eighth. */
enum { ELEMENTS = 256, GROUPS = 16, GROUP_ELEMENTS = 16, QUANT_MAX = 18, OFFSET = 9 };

typedef struct {
  uint8_t entries[ELEMENTS / 8]; /* the lower 8 bits */
  uint8_t high[GROUPS];          /* of two entries the upper 3 bits, and above them delta's sign */
  uint8_t factors[GROUPS / 4][2]; /* of four scales 3 bits, and above them 4 bits of the float */
} block;
_Static_assert(sizeof(block) == 56, "as in the file");
_Static_assert(_Alignof(block) == 1, "readable at any address");
enum { BLOCK_BYTES = sizeof(block) };

/* Entry i of those for columns 32k on; bits: 4 of each of the four. */
MOE_ALWAYS_INLINE uint64_t entry(const block *b, int k, uint32_t bits, int i) {
  return moe_grid_iq1[b->entries[4 * k + i] | (bits >> (4 * i) & 7) << 8];
}

/* The 16-bit float in the upper bits of the factors, and the scales of all groups from the others.
 */
MOE_ALWAYS_INLINE uint16_t unpack_factors(const block *b, moe_words_8 *pairs) {
  typedef uint16_t pairs_4 __attribute__((vector_size(8)));
  pairs_4 four;
  memcpy(&four, b->factors, sizeof four);
  moe_words_8 factors = __builtin_convertvector(
      __builtin_shufflevector(four, four, 0, 0, 1, 1, 2, 2, 3, 3), moe_words_8);
  factors >>= (moe_words_8){0, 6, 0, 6, 0, 6, 0, 6};
  *pairs = ((factors & 7) | (factors & 0x38) << 13) * 2 + 0x10001;
  four = (four & 0xf000) >> (pairs_4){12, 8, 4, 0};
  return four[0] | four[1] | four[2] | four[3];
}

MOE_ALWAYS_INLINE void unpack(const uint8_t *blocks, size_t index, moe_unpacked_k *out,
                              const moe_unpack_level *level) {
  const block *b = (const block *)blocks + index;
  /* 2 where delta is positive, else 0. */
  moe_bytes_32 deltas;
  moe_load_halves_in_turn(&deltas, b->high);
  deltas = (deltas >> 2 & 2) ^ 2;
#pragma clang loop unroll(full)
  for (int k = 0; k < ELEMENTS / 32; k++) {
    uint32_t bits = moe_load_u16(b->high + 2 * k);
    moe_longs_4 sums = {entry(b, k, bits, 0), entry(b, k, bits, 1), entry(b, k, bits, 2),
                        entry(b, k, bits, 3)};
    moe_bytes_32 four = (moe_bytes_32)((moe_words_8){0} + ((moe_words_8)deltas)[k]);
    moe_bytes_32 quants = (moe_bytes_32)sums;
    quants += __builtin_shufflevector(four, four, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1,
                                      18, 18, 18, 18, 18, 18, 18, 18, 19, 19, 19, 19, 19, 19, 19,
                                      19);
    memcpy(out->quants + k * 32, &quants, sizeof quants);
  }
  moe_words_8 pairs;
  uint16_t half = unpack_factors(b, &pairs);
  moe_set_scales(out, &pairs, OFFSET);
  uint8_t scale[2];
  memcpy(scale, &half, sizeof scale);
  out->scale = level->half(scale) * 0.125f;
}

#include "unpacked_k.h"

MOE_UNPACKED_PRODUCTS(iq1_m, BLOCK_BYTES, ELEMENTS)
MOE_DEFINE_FORMAT(iq1_m, "IQ1_M", 29, ELEMENTS, BLOCK_BYTES, Q8_K, INTEGER)
