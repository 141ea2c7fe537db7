/* IQ3_S: blocks of 256 in 8 groups of 32. An element is scale * v, where v is a magnitude from a
 * table of fours, with a sign; the scale of a group is an odd number of 5 bits, by a 16-bit float.
 * Activations are Q8_K. */
#include "grids.h"

enum { ELEMENTS = 256, GROUPS = 8, GROUP_ELEMENTS = 32, QUANT_MAX = 30, OFFSET = 15 };

typedef struct {
  uint8_t scale[2];
  uint8_t entries[ELEMENTS / 4]; /* the lower 8 bits */
  uint8_t high[GROUPS];          /* bit i is the upper one of a group's entry i */
  uint8_t signs[ELEMENTS / 8];
  uint8_t factors[GROUPS / 2]; /* of group 2k low, 2k + 1 high: the scale's upper 4 bits */
} block;
_Static_assert(sizeof(block) == 110, "as in the file");
_Static_assert(_Alignof(block) == 1, "readable at any address");
enum { BLOCK_BYTES = sizeof(block) };

/* A group's entry i. */
MOE_ALWAYS_INLINE uint32_t entry(const block *b, int group, int i) {
  return moe_grid_iq3_s[b->entries[8 * group + i] | (b->high[group] << (8 - i) & 0x100)];
}

MOE_ALWAYS_INLINE void unpack(const uint8_t *blocks, size_t index, moe_unpacked_k *out,
                              const moe_unpack_level *level) {
  const block *b = (const block *)blocks + index;
#pragma clang loop unroll(full)
  for (int g = 0; g < GROUPS; g++) {
    moe_words_8 magnitudes = {entry(b, g, 0), entry(b, g, 1), entry(b, g, 2), entry(b, g, 3),
                              entry(b, g, 4), entry(b, g, 5), entry(b, g, 6), entry(b, g, 7)};
    moe_sign_quants(out->quants + g * GROUP_ELEMENTS, (moe_bytes_32 *)&magnitudes,
                    moe_load_u32(b->signs + 4 * g), OFFSET, level);
  }
  moe_words_8 factors = (moe_words_8){0} + moe_load_u32(b->factors);
  factors = factors >> (moe_words_8){0, 4, 8, 12, 16, 20, 24, 28} & 15;
  moe_words_8 scales = factors * 2 + 1;
  moe_set_scales_32(out, &scales, OFFSET);
  out->scale = level->half(b->scale);
}

#include "unpacked_k.h"

MOE_UNPACKED_PRODUCTS(iq3_s, BLOCK_BYTES, ELEMENTS)
MOE_DEFINE_FORMAT(iq3_s, "IQ3_S", 21, ELEMENTS, BLOCK_BYTES, Q8_K, INTEGER)
