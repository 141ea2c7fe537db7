/* What the formats share whose quants are entries of a table: 4 or 8 magnitudes, or sums.
 *
 * The tables are part of these formats' definition. grids.c has them with a few bits for each
 * magnitude and writes out the bytes once, before any format is used. */
#ifndef MOE_QUANT_GRIDS_H
#define MOE_QUANT_GRIDS_H

#include "unpacked.h"

/* Entries of 8 bytes: magnitudes 8, 25 and 43. */
extern uint64_t moe_grid_iq2_xxs[256], moe_grid_iq2_xs[512], moe_grid_iq2_s[1024];
/* Of 4 bytes: 4, 12, 20, ... 52 and 62; odd numbers up to 15. */
extern uint32_t moe_grid_iq3_xxs[256], moe_grid_iq3_s[512];
/* Of 8 bytes: -1, 0 and 1, each 8 times and plus 8. */
extern uint64_t moe_grid_iq1[2048];

/* Fills the tables. */
void moe_fill_grids(void);

/* Signs of 32 columns from four numbers of 7 bits, from the low ones on: each is the signs of 7
 * columns, and the eighth makes the count of negative ones even. */
MOE_ALWAYS_INLINE uint32_t moe_even_signs(uint32_t packed) {
  uint32_t signs = (packed & 0x7f) | (packed << 1 & 0x7f00) | (packed << 2 & 0x7f0000) |
                   (packed << 3 & 0x7f000000);
  uint32_t parity = signs ^ (signs >> 4 & 0x0f0f0f0f);
  parity ^= parity >> 2 & 0x3f3f3f3f;
  parity ^= parity >> 1 & 0x7f7f7f7f;
  return signs | (parity & 0x01010101) << 7;
}

/* Quants of 32 columns: magnitudes, negative where a bit of `signs` is set, plus an offset. */
MOE_ALWAYS_INLINE void moe_sign_quants(uint8_t quants[32], const moe_bytes_32 *magnitudes,
                                       uint32_t signs, uint8_t offset,
                                       const moe_unpack_level *level) {
  moe_bytes_32 negative;
  level->spread(&negative, signs);
  moe_bytes_32 all = ((*magnitudes ^ negative) - negative) + offset;
  memcpy(quants, &all, sizeof all);
}

#endif
