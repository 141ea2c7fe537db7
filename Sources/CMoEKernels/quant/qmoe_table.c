/* The dictionary of QMoE's code (arXiv 2310.16795, section 4.2): the 65536 sequences of 1 to 14
 * pairs of digits that are most probable where each digit is zero with probability 0.885 and low or
 * high with half of the rest.
 *
 * Their order is that of a best-first search: by the probability, as a product of doubles from the
 * first pair to the last, which rounds differently for sequences that are equally probable; and
 * where these are equal by the pairs, a sequence before those that begin with it. A sequence is
 * always less probable than what it begins with, so that sorting all that are probable enough gives
 * the same order. */
#include "qmoe_table.h"

#include <pthread.h>
#include <stdlib.h>

enum { PAIRS = 9, CANDIDATES_MAX = 84 << 10 };

/* Just below that of the last entry, which thousands of candidates share: 83846 have it. */
static const double PROBABILITY_MIN = 1.1447e-5;

const uint64_t *moe_qmoe_entries;

/* A pair is its first digit and three times its second. */
typedef struct {
  double probability;
  uint64_t pairs; /* each plus 1 in 4 bits, the first in bits 52 to 55: ordered as sequences are */
} candidate;

typedef struct {
  candidate *all;
  size_t count;
  double of_pair[PAIRS];
} search;

static void find(search *s, double probability, uint64_t pairs, int length) {
  for (int r = 0; r < PAIRS; r++) {
    candidate found = {probability * s->of_pair[r],
                       pairs | (uint64_t)(r + 1) << 4 * (MOE_QMOE_PAIRS_MAX - 1 - length)};
    if (found.probability < PROBABILITY_MIN || s->count == CANDIDATES_MAX) continue;
    s->all[s->count++] = found;
    if (length + 1 < MOE_QMOE_PAIRS_MAX) {
      find(s, found.probability, found.pairs, length + 1);
    }
  }
}

static int by_probability(const void *left, const void *right) {
  const candidate *a = left, *b = right;
  if (a->probability != b->probability) return a->probability > b->probability ? -1 : 1;
  return a->pairs < b->pairs ? -1 : a->pairs > b->pairs;
}

static uint64_t entry_of(uint64_t pairs) {
  uint64_t low = 0, high = 0, length = 0;
  for (; length < MOE_QMOE_PAIRS_MAX; length++) {
    uint64_t pair = pairs >> 4 * (MOE_QMOE_PAIRS_MAX - 1 - length) & 15;
    if (pair == 0) break;
    uint64_t digits[2] = {(pair - 1) % 3, (pair - 1) / 3};
    for (int i = 0; i < 2; i++) {
      low |= (uint64_t)(digits[i] == 1) << (2 * length + (uint64_t)i);
      high |= (uint64_t)(digits[i] == 2) << (2 * length + (uint64_t)i);
    }
  }
  return low | length << 28 | high << 32;
}

/* Null where there is no memory. */
static uint64_t *made_entries(void) {
  search s = {malloc(CANDIDATES_MAX * sizeof(candidate)), 0, {0}};
  uint64_t *entries = malloc(MOE_QMOE_ENTRIES * sizeof *entries);
  if (!s.all || !entries) {
    free(s.all);
    free(entries);
    return NULL;
  }
  const double other = (1 - 0.885) / 2, of_digit[3] = {0.885, other, other};
  for (int r = 0; r < PAIRS; r++) s.of_pair[r] = of_digit[r / 3] * of_digit[r % 3];
  find(&s, 1, 0, 0);
  qsort(s.all, s.count, sizeof *s.all, by_probability);
  for (size_t i = 0; i < MOE_QMOE_ENTRIES; i++) entries[i] = entry_of(s.all[i].pairs);
  free(s.all);
  return entries;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

int moe_qmoe_prepare(void) {
  pthread_mutex_lock(&lock);
  if (!moe_qmoe_entries) moe_qmoe_entries = made_entries();
  pthread_mutex_unlock(&lock);
  return moe_qmoe_entries != NULL;
}

const uint64_t *moe_qmoe_table(void) { return moe_qmoe_entries; }

/* (entry, pair): the entry with one pair more, or 0: entry 0 is longer than none. Behind the
 * entries: the pairs alone, which all are entries. */
static uint16_t (*longer)[PAIRS];

static int pair_at(const uint64_t entry, int index) {
  int low = (int)(entry >> 2 * index & 3), high = (int)(entry >> (32 + 2 * index) & 3);
  int first = (low & 1) + 2 * (high & 1), second = (low >> 1) + 2 * (high >> 1);
  return first + 3 * second;
}

static void fill_longer(void) {
  for (size_t i = 0; i < MOE_QMOE_ENTRIES; i++) {
    size_t node = MOE_QMOE_ENTRIES;
    int last = (int)(moe_qmoe_entries[i] >> 28 & 15) - 1;
    for (int j = 0; j < last; j++) node = longer[node][pair_at(moe_qmoe_entries[i], j)];
    longer[node][pair_at(moe_qmoe_entries[i], last)] = (uint16_t)i;
  }
}

int moe_qmoe_prepare_encoder(void) {
  if (!moe_qmoe_prepare()) return 0;
  pthread_mutex_lock(&lock);
  if (!longer) {
    longer = calloc(MOE_QMOE_ENTRIES + 1, sizeof *longer);
    if (longer) fill_longer();
  }
  pthread_mutex_unlock(&lock);
  return longer != NULL;
}

size_t moe_qmoe_encode(const uint8_t *digits, size_t columns, uint8_t *out) {
  size_t count = 0, node = MOE_QMOE_ENTRIES;
  for (size_t c = 0; c < columns; c += MOE_TERNARY_GROUP) {
    const uint8_t *group = digits + c / MOE_TERNARY_GROUP * MOE_TERNARY_GROUP_BYTES;
    uint64_t both = moe_load_u32(group) | (uint64_t)moe_load_u32(group + 4) << 32;
    size_t rest = columns - c, pairs = (rest < MOE_TERNARY_GROUP ? rest + 1 : 32) / 2;
    for (size_t i = 0; i < pairs; i++, both >>= 2) {
      int pair = pair_at(both, 0);
      size_t next = longer[node][pair];
      if (next == 0 && node != MOE_QMOE_ENTRIES) {
        uint16_t word = (uint16_t)node;
        memcpy(out + 2 * count++, &word, sizeof word);
        next = longer[MOE_QMOE_ENTRIES][pair];
      }
      node = next;
    }
  }
  uint16_t word = (uint16_t)node;
  memcpy(out + 2 * count++, &word, sizeof word);
  return count;
}

int moe_qmoe_is_row(const uint8_t *codes, size_t count, size_t columns) {
  const uint64_t *entries = moe_qmoe_entries;
  if (count == 0) return 0;
  size_t digits = 0;
  for (size_t i = 0; i < count; i++) digits += entries[moe_load_u16(codes + 2 * i)] >> 28 & 15;
  digits *= 2;
  if (digits == columns) return 1;
  moe_qmoe_word last = moe_qmoe_word_at(entries, codes + 2 * (count - 1));
  return digits == columns + 1 && (last.low | last.high) >> (last.digits - 1) == 0;
}

void moe_qmoe_decode(const uint8_t *codes, size_t columns, uint8_t *digits) {
  const uint64_t *entries = moe_qmoe_entries;
  size_t done = 0, used = 0;
  uint64_t low = 0, high = 0;
  while (done < columns) {
    moe_qmoe_word word = moe_qmoe_word_at(entries, codes);
    codes += 2;
    low |= (uint64_t)word.low << used;
    high |= (uint64_t)word.high << used;
    done += word.digits;
    used += word.digits;
    /* What is not full yet is written too, and once more when it is. */
    uint32_t group[2] = {(uint32_t)low, (uint32_t)high};
    memcpy(digits, group, sizeof group);
    size_t full = used & MOE_TERNARY_GROUP;
    digits += full / MOE_TERNARY_GROUP * MOE_TERNARY_GROUP_BYTES;
    low >>= full;
    high >>= full;
    used -= full;
  }
  if (used > 0) {
    uint32_t group[2] = {(uint32_t)low, (uint32_t)high};
    memcpy(digits, group, sizeof group);
  }
}
