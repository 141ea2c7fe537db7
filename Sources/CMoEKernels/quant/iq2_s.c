/* IQ2_S: blocks of 256 in 16 groups of 16. An element is scale * v, where v is a magnitude from a
 * table of eights, with a sign; the scale of a group is an odd number of 5 bits, by an eighth of a
 * 16-bit float. Activations are Q8_K. */
#include "grids.h"

enum { ELEMENTS = 256, GROUPS = 16, GROUP_ELEMENTS = 16, QUANT_MAX = 86, OFFSET = 43 };

typedef struct {
  uint8_t scale[2];
  uint8_t entries[ELEMENTS / 8]; /* the lower 8 bits */
  uint8_t signs[ELEMENTS / 8];
  uint8_t high[ELEMENTS / 32]; /* of each four entries the upper 2 bits, from the low ones on */
  uint8_t factors[GROUPS / 2]; /* of group 2k low, 2k + 1 high: the scale's upper 4 bits */
} block;
_Static_assert(sizeof(block) == 82, "as in the file");
_Static_assert(_Alignof(block) == 1, "readable at any address");
enum { BLOCK_BYTES = sizeof(block) };

/* Entry i of those for columns 32k on. */
MOE_ALWAYS_INLINE uint64_t entry(const block *b, int k, int i) {
  return moe_grid_iq2_s[b->entries[4 * k + i] | (b->high[k] << (8 - 2 * i) & 0x300)];
}

MOE_ALWAYS_INLINE void unpack(const uint8_t *blocks, size_t index, moe_unpacked_k *out,
                              const moe_unpack_level *level) {
  const block *b = (const block *)blocks + index;
#pragma clang loop unroll(full)
  for (int k = 0; k < ELEMENTS / 32; k++) {
    moe_longs_4 magnitudes = {entry(b, k, 0), entry(b, k, 1), entry(b, k, 2), entry(b, k, 3)};
    moe_sign_quants(out->quants + k * 32, (moe_bytes_32 *)&magnitudes,
                    moe_load_u32(b->signs + 4 * k), OFFSET, level);
  }
  moe_words_8 pairs;
  moe_spread_halves(&pairs, b->factors);
  pairs = pairs * 2 + 0x10001;
  moe_set_scales(out, &pairs, OFFSET);
  out->scale = level->half(b->scale) * 0.125f;
}

#include "unpacked_k.h"

MOE_UNPACKED_PRODUCTS(iq2_s, BLOCK_BYTES, ELEMENTS)
MOE_DEFINE_FORMAT(iq2_s, "IQ2_S", 22, ELEMENTS, BLOCK_BYTES, Q8_K, INTEGER)
