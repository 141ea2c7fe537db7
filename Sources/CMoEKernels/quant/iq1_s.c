/* IQ1_S: blocks of 256 in 8 groups of 32. An element is scale * (v + delta), where v is -1, 0 or 1
 * from a table of eights, and delta an eighth, with the group's sign; the scale of a group is an
 * odd number of 4 bits, by a 16-bit float. Activations are Q8_K. */
#include "grids.h"

/* Quants are 8 times the sum, which is -9 to 9; so scales are an eighth. */
enum { ELEMENTS = 256, GROUPS = 8, GROUP_ELEMENTS = 32, QUANT_MAX = 18, OFFSET = 9 };

typedef struct {
  uint8_t scale[2];
  uint8_t entries[ELEMENTS / 8]; /* the lower 8 bits */
  uint8_t groups[GROUPS][2]; /* of four entries the upper 3 bits; 3 of the scale's; delta's sign */
} block;
_Static_assert(sizeof(block) == 50, "as in the file");
_Static_assert(_Alignof(block) == 1, "readable at any address");
enum { BLOCK_BYTES = sizeof(block) };

/* A group's entry i; bits: of the group. */
MOE_ALWAYS_INLINE uint64_t entry(const block *b, int group, uint32_t bits, int i) {
  return moe_grid_iq1[b->entries[4 * group + i] | (bits >> (3 * i) & 7) << 8];
}

MOE_ALWAYS_INLINE void unpack(const uint8_t *blocks, size_t index, moe_unpacked_k *out,
                              const moe_unpack_level *level) {
  const block *b = (const block *)blocks + index;
#pragma clang loop unroll(full)
  for (int g = 0; g < GROUPS; g++) {
    uint32_t bits = moe_load_u16(b->groups[g]);
    moe_longs_4 sums = {entry(b, g, bits, 0), entry(b, g, bits, 1), entry(b, g, bits, 2),
                        entry(b, g, bits, 3)};
    moe_bytes_32 quants = (moe_bytes_32)sums + (uint8_t)(bits >> 15 ? 0 : 2);
    memcpy(out->quants + g * GROUP_ELEMENTS, &quants, sizeof quants);
  }
  moe_words_8 groups;
  moe_widen_pairs(&groups, b->groups[0]);
  moe_words_8 scales = (groups >> 12 & 7) * 2 + 1;
  moe_set_scales_32(out, &scales, OFFSET);
  out->scale = level->half(b->scale) * 0.125f;
}

#include "unpacked_k.h"

MOE_UNPACKED_PRODUCTS(iq1_s, BLOCK_BYTES, ELEMENTS)
MOE_DEFINE_FORMAT(iq1_s, "IQ1_S", 19, ELEMENTS, BLOCK_BYTES, Q8_K, INTEGER)
