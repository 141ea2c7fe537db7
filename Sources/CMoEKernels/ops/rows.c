/* Whole rows, by the format's own functions or by copy: the same at every level. */
#include "ops.h"

#include <string.h>

void moe_embed(const void *argument, unsigned worker, unsigned worker_count) {
  const moe_embed_job *job = argument;
  moe_range part = moe_share(job->tokens, 1, worker, worker_count);
  for (size_t t = part.begin; t < part.end; t++) {
    const uint8_t *row = job->table + (size_t)job->ids[t] * job->row_bytes;
    float *out = job->out + t * job->out_stride;
    job->format->dequantize(row, out, job->columns);
    if (job->scale == 1) continue;
    for (size_t c = 0; c < job->columns; c++) out[c] *= job->scale;
  }
}

void moe_quantize(const void *argument, unsigned worker, unsigned worker_count) {
  const moe_quantize_job *job = argument;
  moe_range part = moe_share(job->rows, 1, worker, worker_count);
  for (size_t r = part.begin; r < part.end; r++) {
    moe_quantize_activation(job->activation, job->x + r * job->x_stride,
                            job->out + r * job->out_stride_bytes, job->columns);
  }
}

void moe_gather(const void *argument, unsigned worker, unsigned worker_count) {
  const moe_gather_job *job = argument;
  moe_range part = moe_share(job->rows, 1, worker, worker_count);
  for (size_t r = part.begin; r < part.end; r++) {
    memcpy(job->out + r * job->out_stride_bytes,
           job->source + job->indices[r] * job->source_stride_bytes, job->row_bytes);
  }
}

void moe_regroup(const void *argument, unsigned worker, unsigned worker_count) {
  const moe_regroup_job *job = argument;
  moe_range part = moe_share(job->rows * job->groups, 1, worker, worker_count);
  for (size_t i = part.begin; i < part.end; i++) {
    size_t row = i / job->groups, group = i % job->groups;
    memcpy(job->out + row * job->out_stride + group * job->width,
           job->x + row * job->x_stride + group * job->group_stride, job->width * sizeof(float));
  }
}
