/* Runs every product and operation of one level over seeded inputs and prints a digest of each
 * result; compares with the scalar level on the way, unless the digests are compared with those of
 * a level that was. Arguments: the level, `digests` for these alone, a case to print in full. */
#include "check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>

const char *wanted_case = "";
int compares_with_scalar = 1;
static int failure_count;

uint64_t draw(generator *g) {
  uint64_t z = g->state += 0x9e3779b97f4a7c15; /* SplitMix64 */
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

float draw_gaussian(generator *g) {
  int64_t sum = 0;
  for (int i = 0; i < 12; i++) sum += (int64_t)(draw(g) >> 40);
  return (float)(sum - (6 << 24)) * 0x1p-24f;
}

float draw_bits(generator *g) {
  uint32_t bits = (uint32_t)draw(g);
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

enum { PAGE_BYTES = 4096, MAPPING_COUNT_MAX = 4096 };
static struct {
  void *start;
  size_t byte_count;
} mappings[MAPPING_COUNT_MAX];
static size_t mapping_count;

void *guarded(size_t byte_count) {
  size_t whole = (byte_count + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
  char *start = mmap(NULL, whole + PAGE_BYTES, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED || mapping_count == MAPPING_COUNT_MAX ||
      mprotect(start + whole, PAGE_BYTES, PROT_NONE) != 0) {
    fprintf(stderr, "no memory for %zu bytes\n", byte_count);
    exit(2);
  }
  mappings[mapping_count].start = start;
  mappings[mapping_count++].byte_count = whole + PAGE_BYTES;
  return start + whole - byte_count;
}

float *guarded_floats(size_t count) { return guarded(count * sizeof(float)); }

void release_all(void) {
  for (; mapping_count > 0; mapping_count--)
    munmap(mappings[mapping_count - 1].start, mappings[mapping_count - 1].byte_count);
}

static uint64_t digest = 0xcbf29ce484222325; /* FNV-1a, by words */
static uint32_t words_shown[DIGEST_WORDS_SHOWN];
static size_t word_count;

static void digest_word(uint32_t word) {
  if (word_count < DIGEST_WORDS_SHOWN) words_shown[word_count] = word;
  word_count++;
  digest = (digest ^ word) * 0x100000001b3;
}

void digest_floats(const float *values, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint32_t bits;
    memcpy(&bits, values + i, sizeof bits);
    digest_word(values[i] != values[i] ? 0x7fc00000 : bits);
  }
}

size_t cache_bytes(moe_kv_type type, size_t elements) {
  switch (type) {
    case MOE_KV_F32:
      return elements * 4;
    case MOE_KV_Q8_0:
      return elements / 32 * 34;
    case MOE_KV_Q4_0:
      return elements / 32 * 18;
    default:
      return elements * 2;
  }
}

void digest_halves(const uint16_t *values, size_t count) {
  for (size_t i = 0; i < count; i++)
    digest_word((values[i] & 0x7fff) > 0x7c00 ? 0x7e00 : values[i]);
}

void digest_bytes(const uint8_t *bytes, size_t count) {
  for (size_t i = 0; i < count; i++) digest_word(bytes[i]);
}

void digest_double(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  if (value != value) bits = 0x7ff8000000000000;
  digest_word((uint32_t)bits);
  digest_word((uint32_t)(bits >> 32));
}

void report(const char *format, ...) {
  char name[160];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(name, sizeof name, format, arguments);
  va_end(arguments);
  printf("%s: %016llx\n", name, (unsigned long long)digest);
  if (strcmp(name, wanted_case) == 0) {
    for (size_t i = 0; i < word_count && i < DIGEST_WORDS_SHOWN; i++)
      printf("  %zu %08x\n", i, words_shown[i]);
  }
  digest = 0xcbf29ce484222325;
  word_count = 0;
}

void complain(const char *format, ...) {
  enum { SHOWN = 20 };
  if (++failure_count > SHOWN) return;
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
}

int same_bits(const float *a, const float *b, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (memcmp(a + i, b + i, sizeof *a) != 0 && !(a[i] != a[i] && b[i] != b[i])) return 0;
  return 1;
}

static const char *kind_of_processor(void) {
#if defined(__aarch64__)
  return getauxval(AT_HWCAP) & HWCAP_ASIMDDP ? " with SDOT" : " without SDOT";
#else
  return "";
#endif
}

int main(int count, char **arguments) {
  int isa = MOE_ISA_NEON;
  while (count > 1 && isa >= 0 && strcmp(moe_isa_name((moe_isa)isa), arguments[1]) != 0) isa--;
  if (count < 2 || isa < 0 || !moe_operations_at((moe_isa)isa)) {
    fprintf(stderr, "usage: check LEVEL [digests] [CASE], with a level that this processor has\n");
    return 2;
  }
  compares_with_scalar = count < 3 || strcmp(arguments[2], "digests") != 0;
  int place = compares_with_scalar ? 2 : 3;
  if (count > place) wanted_case = arguments[place];
  check_activations((moe_isa)isa);
  check_products((moe_isa)isa);
  check_elements((moe_isa)isa);
  check_vectors((moe_isa)isa);
  check_attention((moe_isa)isa);
  check_recurrences((moe_isa)isa);
  fprintf(stderr, "%s%s: %d failures\n", arguments[1], kind_of_processor(), failure_count);
  return failure_count > 0;
}
