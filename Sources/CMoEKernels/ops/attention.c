/* Attention with an online softmax (arXiv 2205.14135, section 3.1): the reference. */
#include "attention_units.h"

#include "tanh.h"

enum { LANES = 8 };

/* Eight sums, which compilers turn into vectors. */
MOE_INLINE float dot(const float *q, const void *cache, size_t index, moe_kv_type type,
                     size_t count) {
  float lanes[LANES] = {0}, sum = 0;
  size_t d = 0;
  for (; d + LANES <= count; d += LANES) {
    for (size_t i = 0; i < LANES; i++)
      lanes[i] += q[d + i] * moe_kv_load(cache, index + d + i, type);
  }
  for (; d < count; d++) sum += q[d] * moe_kv_load(cache, index + d, type);
  for (size_t i = 0; i < LANES; i++) sum += lanes[i];
  return sum;
}

MOE_INLINE void accumulate(float weight, const void *cache, size_t index, moe_kv_type type,
                           float *out, size_t count) {
  for (size_t d = 0; d < count; d++) out[d] += weight * moe_kv_load(cache, index + d, type);
}

/* Takes positions of a block into one row; index: of the block's first within the page. */
MOE_INLINE void attend_block(const moe_kv_type type, const moe_attention_head *head,
                             moe_attention_rows *rows, size_t row, size_t index,
                             moe_range visible) {
  size_t width = head->value_dimension;
  float weights[MOE_ATTENTION_BLOCK], largest = rows->largest[row];
  for (size_t j = visible.begin; j < visible.end; j++) {
    weights[j] = head->scale * dot(rows->q[row], head->keys, (index + j) * head->key_dimension,
                                   type, head->key_dimension);
    if (head->soft_cap > 0)
      weights[j] = head->soft_cap * moe_tanh(weights[j] * (1.0f / head->soft_cap));
    if (weights[j] > largest) largest = weights[j];
  }
  float fade = moe_attention_weight(rows->largest[row], largest);
  float base = moe_attention_base(largest);
  rows->largest[row] = largest;
  rows->sum[row] *= fade;
  for (size_t d = 0; d < width; d++) rows->out[row][d] *= fade;
  for (size_t j = visible.begin; j < visible.end; j++) {
    float weight = moe_exp(weights[j] - base);
    rows->sum[row] += weight;
    accumulate(weight, head->values, (index + j) * head->value_stride, type, rows->out[row],
               width);
  }
}

MOE_INLINE void attend_blocks(const moe_kv_type type, const moe_attention_head *head,
                              moe_attention_rows *rows, size_t begin, size_t end) {
  for (size_t row = 0; row < rows->count; row++) {
    for (size_t block = begin; block < end; block += MOE_ATTENTION_BLOCK) {
      moe_range visible = moe_attention_visible(rows, row, block);
      if (visible.begin < visible.end)
        attend_block(type, head, rows, row, block - head->begin, visible);
    }
  }
}

/* A function of the type `moe_attend_fn`, compiled for each type of cache. */
static void attend(const moe_attention_head *head, moe_attention_rows *rows, size_t begin,
                   size_t end) {
  switch (head->type) {
    case MOE_KV_F16:
      return attend_blocks(MOE_KV_F16, head, rows, begin, end);
    case MOE_KV_F32:
      return attend_blocks(MOE_KV_F32, head, rows, begin, end);
    case MOE_KV_BF16:
      return attend_blocks(MOE_KV_BF16, head, rows, begin, end);
    case MOE_KV_Q8_0:
      return attend_blocks(MOE_KV_Q8_0, head, rows, begin, end);
    case MOE_KV_Q4_0:
      return attend_blocks(MOE_KV_Q4_0, head, rows, begin, end);
  }
}

void moe_attention_scalar(const void *job, unsigned worker, unsigned worker_count) {
  moe_attention_share(job, worker, worker_count, attend);
}

void moe_attention_merge_scalar(const void *job, unsigned worker, unsigned worker_count) {
  moe_attention_merge_share(job, worker, worker_count);
}
