/* Causal attention with an online softmax (arXiv 2205.14135, section 3.1): the reference. */
#include "attention.h"

#include "../quant/half.h"
#include "exp.h"

enum { LANES = 8 };

/* Eight sums, which compilers turn into vectors. */
static float dot(const float *q, const void *cache, size_t index, moe_kv_type type, size_t count) {
  float lanes[LANES] = {0}, sum = 0;
  size_t d = 0;
  for (; d + LANES <= count; d += LANES) {
    for (size_t i = 0; i < LANES; i++) {
      float key = type == MOE_KV_F32 ? ((const float *)cache)[index + d + i]
                                     : moe_float_from_f16(((const uint16_t *)cache)[index + d + i]);
      lanes[i] += q[d + i] * key;
    }
  }
  for (; d < count; d++) {
    float key = type == MOE_KV_F32 ? ((const float *)cache)[index + d]
                                   : moe_float_from_f16(((const uint16_t *)cache)[index + d]);
    sum += q[d] * key;
  }
  for (size_t i = 0; i < LANES; i++) sum += lanes[i];
  return sum;
}

static void accumulate(float weight, const void *cache, size_t index, moe_kv_type type, float *out,
                       size_t count) {
  if (type == MOE_KV_F32) {
    const float *values = (const float *)cache + index;
    for (size_t d = 0; d < count; d++) out[d] += weight * values[d];
  } else {
    const uint16_t *values = (const uint16_t *)cache + index;
    for (size_t d = 0; d < count; d++) out[d] += weight * moe_float_from_f16(values[d]);
  }
}

/* Takes one block of positions into one row. index: of the block's first key and value. */
static void attend_block(const moe_attention_job *job, moe_attention_rows *rows, size_t row,
                         size_t index, size_t count) {
  size_t width = job->head_dimension;
  float weights[MOE_ATTENTION_BLOCK], largest = rows->largest[row];
  for (size_t j = 0; j < count; j++) {
    weights[j] =
        job->scale * dot(rows->q[row], job->k_cache, index + j * width, job->type, width);
    if (weights[j] > largest) largest = weights[j];
  }
  float fade = moe_exp(rows->largest[row] - largest);
  rows->largest[row] = largest;
  rows->sum[row] *= fade;
  for (size_t d = 0; d < width; d++) rows->out[row][d] *= fade;
  for (size_t j = 0; j < count; j++) {
    float weight = moe_exp(weights[j] - largest);
    rows->sum[row] += weight;
    accumulate(weight, job->v_cache, index + j * width, job->type, rows->out[row], width);
  }
}

void moe_attention_scalar(const void *argument, unsigned worker, unsigned worker_count) {
  const moe_attention_job *job = argument;
  moe_attention_split split = moe_attention_split_for(job, worker_count);
  for (size_t unit = worker; unit < split.count; unit += worker_count) {
    moe_attention_rows rows;
    size_t kv_head = moe_attention_unit(job, &split, unit, &rows);
    for (size_t row = 0; row < rows.count; row++) {
      for (size_t block = 0; block < rows.limit[row]; block += MOE_ATTENTION_BLOCK) {
        size_t index = (kv_head * job->capacity + block) * job->head_dimension;
        attend_block(job, &rows, row, index, moe_attention_visible(&rows, row, block));
      }
      float inverse = 1.0f / rows.sum[row];
      for (size_t d = 0; d < job->head_dimension; d++) rows.out[row][d] *= inverse;
    }
  }
}
