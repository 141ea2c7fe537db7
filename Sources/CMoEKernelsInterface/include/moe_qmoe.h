/* The dictionary code of ternary weights (QMoE, arXiv 2310.16795, section 4), one row at a time.
 *
 * Weights are digits: 0 zero, 1 low, 2 high. A codeword of 16 bits stands for 2 to 28 of them. The
 * dictionary is made once in a process. */
#ifndef MOE_QMOE_H
#define MOE_QMOE_H

#include <stddef.h>
#include <stdint.h>

enum {
  MOE_QMOE_ENTRIES = 65536,
  /* Columns of 32 of a row of packed digits: those that are low, then those that are high. */
  MOE_TERNARY_GROUP = 32,
  MOE_TERNARY_GROUP_BYTES = 8,
  /* Of all products together: 65536 activations of 16 bits add up to less than 2^31. */
  MOE_TERNARY_COLUMNS_MAX = 65536
};

/* Makes the dictionary, unless it is there: 512 KiB that stay, and for as long as it takes 2 MiB.
 * 0 where there is no memory. Before any other function here and any product of the format. */
int moe_qmoe_prepare(void);

/* (entry): in the low 32 bits the digits that are low, bit i being the i-th, and in the highest 4
 * of them the number of pairs of digits; in bits 32 to 59 the digits that are high. */
const uint64_t *moe_qmoe_table(void);

/* What makes codes, unless it is there: 1.2 MiB that stay. 0 where there is no memory. */
int moe_qmoe_prepare_encoder(void);

/* A row of packed digits to codewords; returns how many. out: room for columns / 2 + 1 of them. */
size_t moe_qmoe_encode(const uint8_t *digits, size_t columns, uint8_t *out);

/* Whether so many codewords are a row of so many columns: their digits are as many, but for one of
 * zero behind an odd number. */
int moe_qmoe_is_row(const uint8_t *codes, size_t count, size_t columns);

/* The codewords of a row to packed digits; reads as many as make the columns full. */
void moe_qmoe_decode(const uint8_t *codes, size_t columns, uint8_t *digits);

/* Packed digits of `groups` groups to planes: of each group a word whose bits say which digits are
 * not zero, and of those, one behind the other from bit `signs_end` of `signs` on, whether they are
 * high. Bits there are 0 before. Returns where they end. */
size_t moe_ternary_split(const uint8_t *digits, size_t groups, uint8_t *nonzero, uint8_t *signs,
                         size_t signs_end);

/* The planes to packed digits, with signs from bit `signs_start` of so many bytes. Returns where
 * they end, or SIZE_MAX where there are fewer. */
size_t moe_ternary_join(const uint8_t *nonzero, size_t groups, const uint8_t *signs,
                        size_t sign_bytes, size_t signs_start, uint8_t *digits);

#endif
