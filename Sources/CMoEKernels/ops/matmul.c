/* Several matrix products in one operation. */
#include "ops.h"

enum {
  /* Ranges of rows start at multiples of these, so that kernels can take rows together: formats of
   * integers by panels. */
  ROW_GRAIN = 4,
  PANEL_GRAIN = 16,
  /* Reading and unpacking a byte of weights takes as long as 8 multiplications: measured for Q4_K
   * and Q6_K, which stand side by side in one list. */
  BYTE_COST = 8,
};

static size_t row_grain(const moe_matmul_segment *segment) {
  return segment->format->activation == MOE_ACTIVATION_F32 ? ROW_GRAIN : PANEL_GRAIN;
}

/* Relative time of one row; coded ones do not tell by their bytes. */
static uint64_t row_cost(const moe_matmul_segment *segment) {
  if (segment->tokens == 0) return 0;
  size_t per_byte = segment->format->columns_per_byte;
  size_t bytes = per_byte == 0 ? segment->row_bytes : segment->columns / per_byte;
  return (uint64_t)segment->columns * segment->tokens + BYTE_COST * (bytes + 1);
}

/* The row of a segment at which `boundary` units of work are done, if it begins at `start`. */
static size_t row_at(const moe_matmul_segment *segment, uint64_t start, uint64_t boundary) {
  if (boundary <= start || segment->tokens == 0) return 0;
  size_t grain = row_grain(segment);
  uint64_t row = (boundary - start) / row_cost(segment);
  return row >= segment->rows ? segment->rows : row / grain * grain;
}

/* The format's product does its own tiling of many tokens. */
static void multiply_rows(const moe_matmul_segment *s, moe_range rows) {
  float *y = s->y + rows.begin;
  size_t count = rows.end - rows.begin;
  s->format->matmul(s->w + rows.begin * s->row_bytes, s->row_bytes, count, s->x,
                    s->x_stride_bytes, s->tokens, s->columns, y, s->y_stride);
  if (s->scale == 1) return;
  for (size_t t = 0; t < s->tokens; t++) {
    for (size_t r = 0; r < count; r++) y[t * s->y_stride + r] *= s->scale;
  }
}

/* All rows of all segments, laid end to end and weighed by their cost, are cut into equal parts: a
 * worker then has one run of neighbouring rows, and short segments need not divide evenly. */
void moe_matmul(const void *argument, unsigned worker, unsigned worker_count) {
  const moe_matmul_job *job = argument;
  uint64_t total = 0;
  for (size_t i = 0; i < job->segment_count; i++)
    total += job->segments[i].rows * row_cost(&job->segments[i]);
  uint64_t begin = total / worker_count * worker;
  uint64_t end = worker + 1 == worker_count ? total : total / worker_count * (worker + 1);

  uint64_t start = 0;
  for (size_t i = 0; i < job->segment_count; i++) {
    const moe_matmul_segment *segment = &job->segments[i];
    if (start >= end) return;
    /* There may be hundreds of segments, of which a part has few. */
    uint64_t cost = segment->rows * row_cost(segment);
    if (start + cost <= begin) {
      start += cost;
      continue;
    }
    moe_range rows = {row_at(segment, start, begin), row_at(segment, start, end)};
    if (rows.begin < rows.end) multiply_rows(segment, rows);
    start += cost;
  }
}
