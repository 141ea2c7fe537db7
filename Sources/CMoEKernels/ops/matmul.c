/* Several matrix products in one operation. */
#include "ops.h"

enum {
  /* Ranges of rows start at multiples of this, so that kernels can take rows together. */
  ROW_GRAIN = 4,
  /* A tile of activations and a run of weights that stay in a second-level cache together. */
  TILE_BYTES = 256 << 10,
  RUN_BYTES = 128 << 10,
  TOKEN_GRAIN = 8,
};

/* Relative time of one row: reading and unpacking it costs about as much as two more tokens. */
static uint64_t row_cost(const moe_matmul_segment *segment) {
  return (uint64_t)segment->columns * (segment->tokens + 2);
}

/* The row of a segment at which `boundary` units of work are done, if it begins at `start`. */
static size_t row_at(const moe_matmul_segment *segment, uint64_t start, uint64_t boundary) {
  if (boundary <= start || segment->columns == 0) return 0;
  uint64_t row = (boundary - start) / row_cost(segment);
  return row >= segment->rows ? segment->rows : row / ROW_GRAIN * ROW_GRAIN;
}

static size_t round_down_at_least_one(size_t value, size_t unit) {
  return value < unit ? unit : value / unit * unit;
}

static void multiply_tile(const moe_matmul_segment *s, moe_range rows, moe_range tokens) {
  s->format->matmul(s->w + rows.begin * s->row_bytes, s->row_bytes, rows.end - rows.begin,
                    s->x + tokens.begin * s->x_stride_bytes, s->x_stride_bytes,
                    tokens.end - tokens.begin, s->columns,
                    s->y + tokens.begin * s->y_stride + rows.begin, s->y_stride);
}

/* Activations that fit a tile are all taken at once, and weights stream past them. Otherwise a run of
 * weights is kept while tiles of tokens pass: weights still come from memory once. */
static void multiply_rows(const moe_matmul_segment *s, moe_range rows) {
  size_t tile = s->tokens, run = rows.end - rows.begin;
  if (s->tokens * s->x_stride_bytes > TILE_BYTES) {
    tile = round_down_at_least_one(TILE_BYTES / s->x_stride_bytes, TOKEN_GRAIN);
    run = round_down_at_least_one(RUN_BYTES / s->row_bytes, ROW_GRAIN);
  }
  for (size_t row = rows.begin; row < rows.end; row += run) {
    moe_range part = {row, row + run < rows.end ? row + run : rows.end};
    for (size_t token = 0; token < s->tokens; token += tile) {
      size_t end = token + tile < s->tokens ? token + tile : s->tokens;
      multiply_tile(s, part, (moe_range){token, end});
    }
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
    moe_range rows = {row_at(segment, start, begin), row_at(segment, start, end)};
    if (rows.begin < rows.end && segment->tokens > 0) multiply_rows(segment, rows);
    start += segment->rows * row_cost(segment);
  }
}
