/* IQ3_XXS: blocks of 256 in 8 groups of 32. An element is scale * v, where v is a magnitude from a
 * table of fours, with a sign; the scale of a group is an odd number of 5 bits, by a quarter of a
 * 16-bit float. Activations are Q8_K. */
#include "grids.h"

enum { ELEMENTS = 256, GROUPS = 8, GROUP_ELEMENTS = 32, QUANT_MAX = 124, OFFSET = 62 };

typedef struct {
  uint8_t scale[2];
  uint8_t entries[ELEMENTS / 4];
  uint8_t groups[GROUPS][4]; /* signs of 4 times 8 columns, of 7 bits; the scale's upper 4 bits */
} block;
_Static_assert(sizeof(block) == 98, "as in the file");
_Static_assert(_Alignof(block) == 1, "readable at any address");
enum { BLOCK_BYTES = sizeof(block) };

MOE_ALWAYS_INLINE void unpack(const uint8_t *blocks, size_t index, moe_unpacked_k *out,
                              const moe_unpack_level *level) {
  const block *b = (const block *)blocks + index;
  const uint32_t *grid = moe_grid_iq3_xxs;
  moe_words_8 groups;
  uint32_t signs[GROUPS];
  memcpy(&groups, b->groups, sizeof groups);
  moe_unpack_signs(signs, &groups, level);
#pragma clang loop unroll(full)
  for (int g = 0; g < GROUPS; g++) {
    const uint8_t *e = b->entries + 8 * g;
    moe_words_8 magnitudes = {grid[e[0]], grid[e[1]], grid[e[2]], grid[e[3]],
                              grid[e[4]], grid[e[5]], grid[e[6]], grid[e[7]]};
    moe_sign_quants(out->quants + g * GROUP_ELEMENTS, (moe_bytes_32 *)&magnitudes, signs[g],
                    OFFSET, level);
  }
  moe_words_8 scales = (groups >> 28) * 2 + 1;
  moe_set_scales_32(out, &scales, OFFSET);
  out->scale = level->half(b->scale) * 0.25f;
}

#include "unpacked_k.h"

MOE_UNPACKED_PRODUCTS(iq3_xxs, BLOCK_BYTES, ELEMENTS)
MOE_DEFINE_FORMAT(iq3_xxs, "IQ3_XXS", 18, ELEMENTS, BLOCK_BYTES, Q8_K, INTEGER)
