/* Codewords as the products of coded rows read them. */
#ifndef MOE_QUANT_QMOE_TABLE_H
#define MOE_QUANT_QMOE_TABLE_H

#include "half.h"
#include "moe_qmoe.h"

enum { MOE_QMOE_PAIRS_MAX = 14, MOE_QMOE_DIGITS_MAX = 2 * MOE_QMOE_PAIRS_MAX };

/* moe_qmoe_table, where all can see it; null until it is made. */
extern const uint64_t *moe_qmoe_entries;

/* Of an entry's lower word, the digits that are low. */
#define MOE_QMOE_LOW_MASK 0x0fffffff

/* The 8 bytes of a codeword's entry: in words of 32 bits, since masks are read from memory. */
MOE_ALWAYS_INLINE const uint8_t *moe_qmoe_entry_at(const uint8_t *code) {
  return (const uint8_t *)(moe_qmoe_entries + moe_load_u16(code));
}

/* How many digits an entry's codeword stands for: 2 to 28. */
MOE_ALWAYS_INLINE size_t moe_qmoe_digits(const uint8_t *entry) { return entry[3] >> 4 << 1; }

/* What a codeword stands for: bit i of a mask is its i-th digit. */
typedef struct {
  uint32_t low, high;
  uint32_t digits;
} moe_qmoe_word;

MOE_ALWAYS_INLINE moe_qmoe_word moe_qmoe_word_at(const uint64_t *entries, const uint8_t *code) {
  uint64_t entry = entries[moe_load_u16(code)];
  return (moe_qmoe_word){(uint32_t)entry & MOE_QMOE_LOW_MASK, (uint32_t)(entry >> 32),
                         (uint32_t)entry >> 28 << 1};
}

#endif
