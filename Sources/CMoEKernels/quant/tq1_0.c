/* TQ1_0: blocks of 256. An element is scale * (q - 1), with q from 0 to 2, five to a byte; the
 * scale is a 16-bit float. Activations are Q8_K. */
#include "unpacked.h"

enum { ELEMENTS = 256, GROUP_ELEMENTS = 32, QUANT_MAX = 2, OFFSET = 1 };

/* A byte is a fraction of 256. Times 3 its whole part is the first digit and its fraction, again a
 * byte, has the others. Digit k of 32 bytes is run k of 32 elements, 0...159; of the 16 bytes
 * after them, run k of 16 elements, 160...239; of the last 4, with four digits, 4 elements. */
typedef struct {
  uint8_t first[32], second[16], third[4];
  uint8_t scale[2];
} block;
_Static_assert(sizeof(block) == 54, "as in the file");
_Static_assert(_Alignof(block) == 1, "readable at any address");
enum { BLOCK_BYTES = sizeof(block) };

/* The whole parts of three times the fractions. */
MOE_ALWAYS_INLINE void first_digits(moe_bytes_32 *digits, const moe_bytes_32 *fractions) {
  *digits = ((moe_bytes_32)(*fractions >= 86) & 1) + ((moe_bytes_32)(*fractions >= 171) & 1);
}

/* Elements 160...255: 16 and 4 bytes by powers of three, so that their digits are first ones. */
MOE_ALWAYS_INLINE void unpack_rest(const block *b, uint8_t quants[96]) {
  typedef uint8_t bytes_16 __attribute__((vector_size(16)));
  const bytes_16 powers = {1, 1, 1, 1, 3, 3, 3, 3, 9, 9, 9, 9, 27, 27, 27, 27};
  bytes_16 digits[6];
  memcpy(&digits[0], b->second, sizeof digits[0]);
  for (int k = 1; k < 5; k++) digits[k] = digits[k - 1] * 3;
  for (int i = 0; i < 4; i++) memcpy((uint8_t *)&digits[5] + 4 * i, b->third, 4);
  digits[5] *= powers;
  for (int k = 0; k < 3; k++) {
    moe_bytes_32 fractions =
        __builtin_shufflevector(digits[2 * k], digits[2 * k + 1], 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
                                11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27,
                                28, 29, 30, 31);
    moe_bytes_32 whole;
    first_digits(&whole, &fractions);
    memcpy(quants + 32 * k, &whole, sizeof whole);
  }
}

MOE_ALWAYS_INLINE void unpack(const uint8_t *blocks, size_t index, moe_unpacked_k *out,
                              const moe_unpack_level *level) {
  const block *b = (const block *)blocks + index;
  moe_bytes_32 fractions, digits;
  memcpy(&fractions, b->first, sizeof fractions);
#pragma clang loop unroll(full)
  for (int run = 0; run < 5; run++) {
    first_digits(&digits, &fractions);
    memcpy(out->quants + run * 32, &digits, sizeof digits);
    fractions += fractions + fractions;
  }
  unpack_rest(b, out->quants + 160);
  moe_words_8 ones = (moe_words_8){0} + 1;
  moe_set_scales_32(out, &ones, OFFSET);
  out->scale = level->half(b->scale);
}

#include "unpacked_k.h"

MOE_UNPACKED_PRODUCTS(tq1_0, BLOCK_BYTES, ELEMENTS)
MOE_DEFINE_FORMAT(tq1_0, "TQ1_0", 34, ELEMENTS, BLOCK_BYTES, Q8_K, INTEGER)
