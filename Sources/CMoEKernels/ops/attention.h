/* Attention's division into units of work, and the rows of a unit, shared by all levels.
 *
 * A row is one query head of one token. A unit is some rows that read the same head of the cache,
 * so that every key and value that was loaded serves all of them. How rows are grouped never shows
 * in their results: each row's sums run over positions in order, in blocks aligned to 0. */
#ifndef MOE_ATTENTION_H
#define MOE_ATTENTION_H

#include <math.h>

#include "ops.h"

enum {
  /* Positions per step of the online softmax. */
  MOE_ATTENTION_BLOCK = 64,
  /* With 32 rows, a block of keys and values is read from a near cache often enough that the
   * products dominate; the state of the rows stays below 2 KiB of stack. */
  MOE_ATTENTION_ROWS = 32
};

typedef struct {
  size_t count;
  const float *q[MOE_ATTENTION_ROWS]; /* (head_dimension) each */
  float *out[MOE_ATTENTION_ROWS];     /* (head_dimension) each, the sum so far */
  size_t limit[MOE_ATTENTION_ROWS];   /* positions that the row sees; never falls with the index */
  float largest[MOE_ATTENTION_ROWS];  /* largest score so far */
  float sum[MOE_ATTENTION_ROWS];      /* sum of exp(score - largest) so far */
} moe_attention_rows;

typedef struct {
  size_t heads, tokens; /* per unit */
  size_t parts;         /* units of the same tokens and cache head */
  size_t count;
} moe_attention_split;

MOE_INLINE size_t moe_divide_up(size_t value, size_t divisor) {
  return (value + divisor - 1) / divisor;
}

/* Large units save loads, but every worker should have one. */
MOE_INLINE moe_attention_split moe_attention_split_for(const moe_attention_job *job,
                                                       unsigned worker_count) {
  size_t group = job->heads / job->kv_heads;
  size_t rows = moe_divide_up(job->tokens * job->heads, worker_count);
  rows = rows < MOE_ATTENTION_ROWS ? rows : MOE_ATTENTION_ROWS;
  moe_attention_split split;
  split.heads = rows < group ? rows : group;
  split.parts = moe_divide_up(group, split.heads);
  split.tokens = rows / split.heads;
  split.count = moe_divide_up(job->tokens, split.tokens) * job->kv_heads * split.parts;
  return split;
}

/* Fills the rows of a unit, zeroes their outputs and returns the cache head. Later tokens cost
 * more; they come last, so that workers who take units in turn have the same amount of each. */
MOE_INLINE size_t moe_attention_unit(const moe_attention_job *job,
                                     const moe_attention_split *split, size_t unit,
                                     moe_attention_rows *rows) {
  size_t group = job->heads / job->kv_heads;
  size_t part = unit % split->parts, kv_head = unit / split->parts % job->kv_heads;
  size_t token = unit / split->parts / job->kv_heads * split->tokens;
  size_t token_end = token + split->tokens < job->tokens ? token + split->tokens : job->tokens;
  size_t head = kv_head * group + part * split->heads, group_end = (kv_head + 1) * group;
  size_t head_end = head + split->heads < group_end ? head + split->heads : group_end;
  rows->count = 0;
  for (; token < token_end; token++) {
    for (size_t h = head; h < head_end; h++) {
      size_t row = rows->count++;
      rows->q[row] = job->q + token * job->q_stride + h * job->head_dimension;
      rows->out[row] = job->out + token * job->out_stride + h * job->head_dimension;
      rows->limit[row] = job->position + token + 1;
      rows->largest[row] = -INFINITY;
      rows->sum[row] = 0;
      for (size_t d = 0; d < job->head_dimension; d++) rows->out[row][d] = 0;
    }
  }
  return kv_head;
}

/* Positions of the block that a row sees. */
MOE_INLINE size_t moe_attention_visible(const moe_attention_rows *rows, size_t row, size_t block) {
  if (rows->limit[row] <= block) return 0;
  size_t count = rows->limit[row] - block;
  return count < MOE_ATTENTION_BLOCK ? count : MOE_ATTENTION_BLOCK;
}

#endif
