/* What the checks of one level share: seeded numbers, memory that ends at a guard page, digests.
 *
 * Every number comes from integers and exactly rounded operations, so that all machines draw the
 * same ones. */
#ifndef CHECK_H
#define CHECK_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "moe_ops.h"
#include "moe_quant.h"

#pragma STDC FP_CONTRACT OFF

typedef struct {
  uint64_t state;
} generator;

uint64_t draw(generator *g);
/* Near a normal distribution: the sum of twelve uniform numbers. */
float draw_gaussian(generator *g);
/* Any bit pattern. */
float draw_bits(generator *g);

/* Zeroed memory whose last byte lies before a page that cannot be touched; freed by release_all. */
void *guarded(size_t byte_count);
float *guarded_floats(size_t count);
void release_all(void);

/* Bytes of so many numbers of a cache, which are whole blocks. */
size_t cache_bytes(moe_kv_type type, size_t elements);

/* Digests of results. All NaN count as one: which of them an operation gives is not stated. */
enum { DIGEST_WORDS_SHOWN = 64 };
void digest_floats(const float *values, size_t count);
void digest_halves(const uint16_t *values, size_t count);
void digest_bytes(const uint8_t *bytes, size_t count);
void digest_double(double value);
/* Prints what was digested since the last report, under a name; in full where `wanted_case` is it.
 */
void report(const char *format, ...) __attribute__((format(printf, 1, 2)));

extern const char *wanted_case;
/* Whether products are compared with the scalar level's, which an emulator takes minutes for. */
extern int compares_with_scalar;

/* Says what is wrong and makes the program fail in the end. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
int same_bits(const float *a, const float *b, size_t count);

void check_activations(moe_isa isa);
void check_products(moe_isa isa);
void check_elements(moe_isa isa);
void check_vectors(moe_isa isa);
void check_attention(moe_isa isa);
void check_recurrences(moe_isa isa);

#endif
