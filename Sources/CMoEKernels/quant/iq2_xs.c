/* IQ2_XS: blocks of 256 in 16 groups of 16. An element is scale * v, where v is a magnitude from a
 * table of eights, with a sign; the scale of a group is an odd number of 5 bits, by an eighth of a
 * 16-bit float. Activations are Q8_K. */
#include "grids.h"

enum { ELEMENTS = 256, GROUPS = 16, GROUP_ELEMENTS = 16, QUANT_MAX = 86, OFFSET = 43 };

typedef struct {
  uint8_t scale[2];
  uint8_t entries[ELEMENTS / 8][2]; /* entries of 9 bits; above them the signs, of 7 bits */
  uint8_t factors[GROUPS / 2];      /* of group 2k low, 2k + 1 high: the scale's upper 4 bits */
} block;
_Static_assert(sizeof(block) == 74, "as in the file");
_Static_assert(_Alignof(block) == 1, "readable at any address");
enum { BLOCK_BYTES = sizeof(block) };

MOE_ALWAYS_INLINE void unpack(const uint8_t *blocks, size_t index, moe_unpacked_k *out,
                              const moe_unpack_level *level) {
  const block *b = (const block *)blocks + index;
  typedef uint16_t pairs_32 __attribute__((vector_size(64)));
  const uint64_t *grid = moe_grid_iq2_xs;
  uint32_t signs[ELEMENTS / 32];
  pairs_32 all;
  memcpy(&all, b->entries, sizeof all);
  moe_bytes_32 seven = __builtin_convertvector(all >> 9, moe_bytes_32);
  moe_make_even(&seven, level);
  memcpy(signs, &seven, sizeof signs);
  MOE_KEEP_IN_MEMORY(signs);
#pragma clang loop unroll(full)
  for (int k = 0; k < ELEMENTS / 32; k++) {
    uint32_t low = moe_load_u32(b->entries[4 * k]), high = moe_load_u32(b->entries[4 * k + 2]);
    moe_longs_4 magnitudes = {grid[low & 511], grid[low >> 16 & 511], grid[high & 511],
                              grid[high >> 16 & 511]};
    moe_sign_quants(out->quants + k * 32, (moe_bytes_32 *)&magnitudes, signs[k], OFFSET, level);
  }
  moe_words_8 pairs;
  moe_spread_halves(&pairs, b->factors);
  pairs = pairs * 2 + 0x10001;
  moe_set_scales(out, &pairs, OFFSET);
  out->scale = level->half(b->scale) * 0.125f;
}

#include "unpacked_k.h"

MOE_UNPACKED_PRODUCTS(iq2_xs, BLOCK_BYTES, ELEMENTS)
MOE_DEFINE_FORMAT(iq2_xs, "IQ2_XS", 17, ELEMENTS, BLOCK_BYTES, Q8_K, INTEGER)
