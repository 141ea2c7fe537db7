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

/* Keeps a value in memory: what follows reads it piece by piece, and the compiler would take the
 * pieces out of a vector instead, at twice the cost. */
#define MOE_KEEP_IN_MEMORY(value) __asm__("" : "+m"(value))

/* What 32 bytes of 7 bits are with an eighth that makes the count of set ones even. */
MOE_ALWAYS_INLINE void moe_make_even(moe_bytes_32 *bytes, const moe_unpack_level *level) {
  /* Bit 7 is set for numbers of 4 bits with an odd count. */
  static const uint8_t odd[16] = {0, 128, 128, 0, 128, 0, 0, 128, 128, 0, 0, 128, 0, 128, 128, 0};
  moe_bytes_32 folded = (*bytes ^ *bytes >> 4) & 15;
  level->look_up(&folded, odd);
  *bytes |= folded;
}

/* Signs of 8 times 32 columns: of each word the low 28 bits, which are four times the signs of 7
 * columns; the eighth column's makes the count of negative ones even. */
MOE_ALWAYS_INLINE void moe_unpack_signs(uint32_t signs[8], const moe_words_8 *words,
                                        const moe_unpack_level *level) {
  moe_words_8 w = *words;
  w = (w & 0x7f) | (w << 1 & 0x7f00) | (w << 2 & 0x7f0000) | (w << 3 & 0x7f000000);
  moe_make_even((moe_bytes_32 *)&w, level);
  memcpy(signs, &w, sizeof w);
  MOE_KEEP_IN_MEMORY(*(uint32_t(*)[8])signs);
}

/* Quants of 32 columns: magnitudes, negative where a bit of `signs` is set, plus an offset. */
MOE_ALWAYS_INLINE void moe_sign_quants(uint8_t quants[32], moe_bytes_32 *magnitudes,
                                       uint32_t signs, uint8_t offset,
                                       const moe_unpack_level *level) {
  level->negate(magnitudes, signs);
  *magnitudes += offset;
  memcpy(quants, magnitudes, sizeof *magnitudes);
}

#endif
