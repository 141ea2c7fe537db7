/* IQ2_XXS: blocks of 256 in 8 groups of 32. An element is scale * v, where v is a magnitude from a
 * table of eights, with a sign; the scale of a group is an odd number of 5 bits, by an eighth of a
 * 16-bit float. Activations are Q8_K. */
#include "grids.h"

enum { ELEMENTS = 256, GROUPS = 8, GROUP_ELEMENTS = 32, QUANT_MAX = 86, OFFSET = 43 };

typedef struct {
  uint8_t scale[2];
  struct {
    uint8_t entries[4];
    uint8_t rest[4]; /* signs of 4 times 8 columns, of 7 bits; the scale's upper 4 bits */
  } groups[GROUPS];
} block;
_Static_assert(sizeof(block) == 66, "as in the file");
_Static_assert(_Alignof(block) == 1, "readable at any address");
enum { BLOCK_BYTES = sizeof(block) };

MOE_ALWAYS_INLINE void unpack(const uint8_t *blocks, size_t index, moe_unpacked_k *out,
                              const moe_unpack_level *level) {
  const block *b = (const block *)blocks + index;
  const uint64_t *grid = moe_grid_iq2_xxs;
  uint32_t signs[GROUPS];
  moe_words_8 first, second;
  memcpy(&first, b->groups, sizeof first);
  memcpy(&second, b->groups + 4, sizeof second);
  moe_words_8 rest = __builtin_shufflevector(first, second, 1, 3, 5, 7, 9, 11, 13, 15);
  moe_unpack_signs(signs, &rest, level);
#pragma clang loop unroll(full)
  for (int g = 0; g < GROUPS; g++) {
    const uint8_t *e = b->groups[g].entries;
    moe_longs_4 magnitudes = {grid[e[0]], grid[e[1]], grid[e[2]], grid[e[3]]};
    moe_sign_quants(out->quants + g * GROUP_ELEMENTS, (moe_bytes_32 *)&magnitudes, signs[g],
                    OFFSET, level);
  }
  moe_words_8 scales = (rest >> 28) * 2 + 1;
  moe_set_scales_32(out, &scales, OFFSET);
  out->scale = level->half(b->scale) * 0.125f;
}

#include "unpacked_k.h"

MOE_UNPACKED_PRODUCTS(iq2_xxs, BLOCK_BYTES, ELEMENTS)
MOE_DEFINE_FORMAT(iq2_xxs, "IQ2_XXS", 16, ELEMENTS, BLOCK_BYTES, Q8_K, INTEGER)
