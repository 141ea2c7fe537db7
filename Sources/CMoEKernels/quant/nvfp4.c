/* NVFP4: blocks of 64 in 4 groups of 16 with a scale each, an unsigned float of 8 bits (E4M3). An
 * element is scale * e, where e is a float of 4 bits (E2M1), as in MXFP4. Activations are Q8_0, two
 * blocks of them for each. */
#include "unpacked.h"

/* Quants are twice the floats, plus 12; so scales are halved. */
enum { ELEMENTS = 64, GROUP_ELEMENTS = 16, QUANT_MAX = 24, OFFSET = 12 };

typedef struct {
  uint8_t scales[ELEMENTS / 16];
  uint8_t quants[ELEMENTS / 2]; /* of each group 8 bytes: elements 0...7 low, 8...15 high */
} block;
_Static_assert(sizeof(block) == 36, "as in the file");
_Static_assert(_Alignof(block) == 1, "readable at any address");
enum { BLOCK_BYTES = sizeof(block) / 2 };

/* Half of an E4M3 float. The one that would not be a number, 127, counts as zero. Its bits in a
 * 16-bit float's place mean 2^-8 times as much, also where they are subnormal. */
MOE_ALWAYS_INLINE float half_scale(uint8_t bits, const moe_unpack_level *level) {
  uint16_t half = (uint16_t)((bits == 127 ? 0 : bits & 127) << 7);
  return level->half((const uint8_t *)&half) * 0x1p7f;
}

MOE_ALWAYS_INLINE void unpack(const uint8_t *blocks, size_t index, moe_unpacked_0 *out,
                              const moe_unpack_level *level) {
  const block *b = (const block *)blocks + index / 2;
  size_t group = index % 2 * 2;
  moe_bytes_32 halves, quants;
  moe_load_halves(&halves, b->quants + group * 8);
  quants = __builtin_shufflevector(halves, halves, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21,
                                   22, 23, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29,
                                   30, 31);
  level->look_up(&quants, moe_e2m1_table);
  memcpy(out->quants, &quants, sizeof quants);
  for (size_t g = 0; g < 2; g++) out->scales[g] = half_scale(b->scales[group + g], level);
}

#include "unpacked_0.h"

MOE_UNPACKED_PRODUCTS(nvfp4, BLOCK_BYTES, 32)
MOE_DEFINE_FORMAT(nvfp4, "NVFP4", 40, ELEMENTS, sizeof(block), Q8_0, INTEGER)
