/* The operations of a decoder layer, each a job description here and a function in the table below
 * that does one worker's share of it (see moe_team.h). Strides count elements of the pointed-to
 * type unless named bytes.
 *
 * Batch invariant throughout: what is computed for one token is bit-identical whatever other
 * tokens stand beside it in the job and however many workers share it. */
#ifndef MOE_OPS_H
#define MOE_OPS_H

#include "moe_quant.h"
#include "moe_team.h"

#pragma clang assume_nonnull begin

/* out[t] = scale * row ids[t] of the table, as floats. Ids are checked by the caller. */
typedef struct {
  const moe_format *format;
  const uint8_t *table;
  size_t row_bytes;
  const int32_t *ids; /* (tokens) */
  float *out;         /* (tokens, columns), out_stride apart */
  size_t out_stride, tokens, columns;
  float scale;
} moe_embed_job;

/* y = x / sqrt(mean(x^2) + epsilon) * weight, for each row; y may be x. Rows lie in groups: row r
 * of group g starts at x + g * group_stride + r * row_stride (per-head norms inside a wider
 * matrix), and so in y. */
typedef struct {
  float *x;
  size_t groups, group_stride, rows_per_group, row_stride;
  const float *_Nullable weight; /* (columns); null: 1 */
  float *y;
  size_t y_group_stride, y_row_stride;
  size_t columns;
  float epsilon;
} moe_rms_norm_job;

/* y = (x - mean(x)) / sqrt(mean((x - mean(x))^2) + epsilon) * weight + bias, for each row; y may be
 * x. */
typedef struct {
  const float *x; /* (rows, columns), x_stride apart */
  size_t x_stride;
  const float *_Nullable weight, *_Nullable bias; /* (columns); null: 1 and 0 */
  float *y;                                       /* (rows, columns), y_stride apart */
  size_t y_stride, rows, columns;
  float epsilon;
} moe_layer_norm_job;

/* Rows of floats into the activation form of a product. */
typedef struct {
  const float *x; /* (rows, columns), x_stride apart */
  size_t x_stride;
  uint8_t *out; /* out_stride_bytes apart */
  size_t out_stride_bytes;
  size_t rows, columns;
  moe_activation activation;
} moe_quantize_job;

/* Several matrix products at once, each by its scale; the rows of each are divided among the
 * workers. */
typedef struct {
  const moe_format *format;
  const uint8_t *w; /* (rows, columns) in blocks, row_bytes apart */
  size_t row_bytes, rows, columns;
  const uint8_t *x; /* (tokens, columns) in the format's activation form */
  size_t x_stride_bytes, tokens;
  float *y; /* (tokens, rows), y_stride apart */
  size_t y_stride;
  float scale; /* of all weights; products are multiplied with it once they are summed */
} moe_matmul_segment;
typedef struct {
  const moe_matmul_segment *segments;
  size_t segment_count;
} moe_matmul_job;

/* Rotary position embedding in place (RoFormer, arXiv 2104.09864), over the first 2 * pairs
 * elements of each head. paired_halves: element i turns with i + pairs (as GPT-NeoX does); else
 * with its neighbour. cosines, sines: (tokens, pairs). */
typedef struct {
  float *x; /* (tokens, heads, head_dimension), token_stride apart */
  size_t token_stride, tokens, heads, head_dimension, pairs;
  const float *cosines, *sines;
  int paired_halves;
} moe_rope_job;

/* Numbers of a cache: floats, upper halves of floats, or blocks of MOE_KV_BLOCK along the head,
 * each a 16-bit float and as many integers: of 8 bits; of 4 bits less 8, the block's first half in
 * the lower ones. Rows are whole blocks. */
typedef enum {
  MOE_KV_F16 = 0,
  MOE_KV_F32 = 1,
  MOE_KV_BF16 = 2,
  MOE_KV_Q8_0 = 3,
  MOE_KV_Q4_0 = 4
} moe_kv_type;

enum { MOE_KV_BLOCK = 32, MOE_KV_Q8_0_BYTES = 34, MOE_KV_Q4_0_BYTES = 18 };

/* Positions of a page are a multiple of this, or all of a sequence's are in one page. */
enum { MOE_KV_PAGE_GRAIN = 64 };

/* How one layer keeps keys and values: in each page keys are (kv_head, page_positions,
 * key_dimension), and the value of a head's position p starts at (kv_head * page_positions + p) *
 * value_stride elements. So a value may be the first elements of its key: then value_stride is
 * key_dimension, and the values start where the keys do. */
typedef struct {
  moe_kv_type type;
  size_t kv_heads, key_dimension, value_dimension, value_stride;
} moe_kv_shape;

/* Consecutive rows of a step that belong to one sequence, and where one layer keeps that
 * sequence's past. */
typedef struct {
  void *_Nullable const *_Nonnull pages; /* starts of the pages */
  size_t key_offset, value_offset;       /* bytes from a page's start to the layer's */
  size_t page_positions;
  size_t ring_pages;     /* position p lies in page p / page_positions % ring_pages; 0: no ring */
  size_t position, rows; /* position of the first row; how many there are, at least 1 */
} moe_kv_segment;

/* Appends a step's rows to one layer's caches. */
typedef struct {
  const float *k;           /* (row, kv_heads, key_dimension), k_stride apart */
  const float *_Nullable v; /* (row, kv_heads, value_dimension); null: values lie in the keys */
  size_t k_stride, v_stride;
  const moe_kv_segment *segments;
  size_t segment_count;
  moe_kv_shape shape;
} moe_kv_append_job;

enum {
  /* Positions whose sums are taken from scratch; the sums of spans are then added up in order. */
  MOE_ATTENTION_SPAN = 512,
  MOE_ATTENTION_HEAD_DIMENSION_MAX = 1024
};

/* Which positions a row sees besides its own: all before it; those less than `size` before it;
 * those before it in its chunk of `size` positions, chunks aligned to 0. */
typedef enum {
  MOE_ATTENTION_CAUSAL = 0,
  MOE_ATTENTION_SLIDING = 1,
  MOE_ATTENTION_CHUNKED = 2
} moe_attention_limits;

/* Attention of a step's rows, each over its own sequence's past, which the cache already holds.
 * heads is a multiple of kv_heads; out must not overlap q. Softmax is taken block by block in
 * position order with a running maximum (FlashAttention, arXiv 2205.14135), blocks and spans
 * aligned to position 0; blocks and spans that a row sees nothing of are left out.
 *
 * A score is scale * (q . k), and with soft_cap that becomes soft_cap * tanh(score / soft_cap)
 * (Gemma 2, arXiv 2408.00118, section 2). A head's sink is one more logit, which has no value.
 *
 * With partials the workers share heads and spans, and leave each span's sums there:
 * attention_merge with the same job then makes the result of them. Both ways give the same bits. */
typedef struct {
  const float *q; /* (row, heads, key_dimension), q_stride apart */
  size_t q_stride;
  const moe_kv_segment *segments;
  size_t segment_count;
  moe_kv_shape shape;
  size_t heads;
  moe_attention_limits limits;
  size_t size; /* of the window or chunk, at least 1 */
  float scale;
  float soft_cap;               /* 0: none */
  const float *_Nullable sinks; /* (heads) */
  float *out;                   /* (row, heads, value_dimension), out_stride apart */
  size_t out_stride;
  /* For each segment in turn (row, span, head, value_dimension + 2), the spans that any of its rows
   * sees: sums of weighted values, largest score, sum of weights. */
  float *_Nullable partials;
} moe_attention_job;

/* silu(x) = x / (1 + exp(-slope x)), GELU by its hyperbolic tangent, max(x, 0), its square,
 * 1 / (1 + exp(-x)), x. */
typedef enum {
  MOE_CURVE_SILU = 0,
  MOE_CURVE_GELU = 1,
  MOE_CURVE_RELU = 2,
  MOE_CURVE_RELU_SQUARED = 3,
  MOE_CURVE_SIGMOID = 4,
  MOE_CURVE_IDENTITY = 5,
} moe_curve;

/* Where values are bounded by the limit: nowhere; the gate from above before its curve or after
 * it, and up from both sides. */
typedef enum { MOE_CLAMP_NONE = 0, MOE_CLAMP_BEFORE = 1, MOE_CLAMP_AFTER = 2 } moe_clamp;

/* x = curve(x) * (up + up_offset), row by row (GLU variants, 2002.05202); without up x = curve(x).
 * Only a gated silu can be clamped; slope, limit and up_offset count only with a clamp. */
typedef struct {
  float *x;                  /* (rows, columns), x_stride apart */
  const float *_Nullable up; /* (rows, columns), up_stride apart */
  size_t rows, columns, x_stride, up_stride;
  moe_curve curve;
  moe_clamp clamp;
  float slope, limit, up_offset;
} moe_activate_job;

/* x += y, count elements. */
typedef struct {
  float *x;
  const float *y;
  size_t count;
} moe_add_job;

/* x[r] += scale * sigmoid(gates[r]) * y[r] for each row (fused multiply-add); without gates
 * x[r] += scale * y[r]. A y_stride of 0 adds one vector to all rows. */
typedef struct {
  float *x; /* (rows, columns), x_stride apart */
  size_t x_stride;
  const float *y; /* (rows, columns), y_stride apart */
  size_t y_stride;
  const float *_Nullable gates; /* (rows), gate_stride apart */
  size_t gate_stride;
  float scale;
  size_t rows, columns;
} moe_add_rows_job;

/* x[r] *= scale * factors[r] for each row; with soft_cap that becomes soft_cap * tanh(x / soft_cap)
 * (Gemma 2, arXiv 2408.00118, section 2). */
typedef struct {
  float *x; /* (rows, columns), x_stride apart */
  size_t x_stride;
  const float *_Nullable factors; /* (rows); null: 1 */
  float scale;
  float soft_cap; /* 0: none */
  size_t rows, columns;
} moe_scale_job;

/* out[tokens[i]] += weights[i] * y[i], for i = 0, 1, ... in that order (fused multiply-add). */
typedef struct {
  const float *y; /* (rows, columns), y_stride apart */
  size_t y_stride;
  const uint32_t *tokens;         /* (rows) */
  const float *_Nullable weights; /* (rows); null: 1 */
  float *out;             /* (any, columns), out_stride apart */
  size_t out_stride, rows, columns;
} moe_scatter_add_job;

/* out[i] = row indices[i] of the source. */
typedef struct {
  const uint8_t *source;
  size_t source_stride_bytes;
  const uint32_t *indices; /* (rows) */
  uint8_t *out;
  size_t out_stride_bytes, rows, row_bytes;
} moe_gather_job;

/* out[r][g * width + c] = x[r][g * group_stride + c]: a part of each group of a row's elements. */
typedef struct {
  const float *x; /* (rows, groups, width), x_stride and group_stride apart */
  size_t x_stride, group_stride;
  float *out; /* (rows, groups, width), out_stride from row to row */
  size_t out_stride, rows, groups, width;
} moe_regroup_job;

/* How a file has a matrix that products read otherwise. */
typedef enum {
  /* Quants of 4 bits (rows, columns / 32, 16), neighbours in one byte, the first in its low half,
   * and scales (rows, columns / 32) of 8 bits: to blocks of MXFP4. */
  MOE_STORED_MXFP4 = 0,
  /* Floats of 8 bits (E4M3) and scales, a 32-bit float for MOE_STORED_F8_BLOCK rows and columns
   * each: to BF16. */
  MOE_STORED_F8 = 1,
  /* Elements of element_bytes (columns, rows): to (rows, columns). */
  MOE_STORED_COLUMNS = 2,
  /* Elements of `format`: to 32-bit floats. */
  MOE_STORED_FLOATS = 3
} moe_stored_form;

enum { MOE_STORED_F8_BLOCK = 128 };

/* A matrix from the form in which a file has it to that of its format. */
typedef struct {
  moe_stored_form form;
  const moe_format *_Nullable format; /* of MOE_STORED_FLOATS, without blocks */
  const uint8_t *source;
  const uint8_t *_Nullable scales; /* at any address */
  uint8_t *target;                 /* (rows, columns), apart from the others */
  size_t rows, columns, element_bytes;
  int takes_turns; /* the source's rows belong to the first and to the second half in turn */
} moe_convert_job;

/* Bytes from one place to another. */
typedef struct {
  const uint8_t *source;
  uint8_t *target;
  size_t bytes;
} moe_copy_job;

/* Consecutive rows of a step that belong to one sequence, at least one, and what one layer keeps of
 * it: as it is before these rows, and where it goes as they leave it, which may be the same. */
typedef struct {
  const float *source;
  float *target;
  size_t rows;
} moe_state_segment;

enum { MOE_CONVOLUTION_TAPS_MAX = 16 };

/* Depthwise convolution over a sequence's rows, in place: x[t][c] becomes the sum over the taps i
 * of weight[c][i] * x[t - taps + 1 + i][c], and the bias. What lies before a step's first row is in
 * the state, (taps - 1, channels) with the oldest first. */
typedef struct {
  float *x; /* (rows, channels), x_stride apart */
  size_t x_stride;
  const float *weight;          /* (channels, taps), the oldest row's first */
  const float *_Nullable bias;  /* (channels) */
  const moe_state_segment *segments;
  size_t segment_count, channels, taps; /* taps: at most MOE_CONVOLUTION_TAPS_MAX */
} moe_convolve_job;

/* x = log(1 + exp(x + bias)), and decays = exp(x * rate). */
typedef struct {
  float *x; /* (rows, columns), x_stride apart */
  size_t x_stride;
  const float *bias, *rates; /* (columns) */
  float *decays;             /* (rows, columns), decay_stride apart */
  size_t decay_stride, rows, columns;
} moe_time_step_job;

/* Values that share a register's worth of a state. */
enum { MOE_RECURRENCE_LANES = 16 };

/* A memory for each head, to which every row adds the product of its key and an update, and which
 * its query then reads (linear attention, arXiv 2006.16236, with a decay). With the memory S,
 * (key_dimension, value_dimension), a row's key k, query q and value v, the first two
 * scaled, and the head's decay and factor for that row:
 *
 *   u = factor * (v - decay * S^T k) where it corrects (delta rule, arXiv 2412.06464, equation 10),
 *       factor * v else (state space duality, arXiv 2405.21060, section 3)
 *   S = decay * S + k u^T
 *   out = S^T q + skip * v
 *
 * The state is (head, block, key_dimension, MOE_RECURRENCE_LANES): blocks of as many values, the
 * last filled up. Each block of values is computed by itself, row by row. */
typedef struct {
  const float *q, *k; /* (rows, key_heads, key_dimension), key_stride apart */
  const float *v;     /* (rows, heads, value_dimension), value_stride apart */
  size_t key_stride, value_stride;
  const float *decays, *factors; /* (rows, heads), decay_stride and factor_stride apart */
  size_t decay_stride, factor_stride;
  const float *_Nullable skips; /* (heads) */
  float *out;                   /* (rows, heads, value_dimension), out_stride apart */
  size_t out_stride;
  const moe_state_segment *segments;
  size_t segment_count, heads, key_heads, key_dimension, value_dimension;
  float query_scale, key_scale;
  int corrects;
  int cycles_keys; /* head h reads key head h % key_heads; else h * key_heads / heads */
} moe_recurrence_job;

/* Every operation at one level. Elementwise results (embed, rope, kv_append, activate, add,
 * add_rows, scale, scatter_add, gather, regroup, convert, copy) are bit-identical at every level,
 * and so are layer_norm, convolve, time_step and recurrence, whose sums have one order; other sums
 * (rms_norm, attention, softmax) may round otherwise. */
typedef struct {
  moe_op embed, rms_norm, layer_norm, quantize, matmul, rope, kv_append, attention,
      attention_merge, activate, add, add_rows, scale, scatter_add, gather, regroup, convert,
      copy, convolve, time_step, recurrence;

  /* Plain functions, for one thread. */

  /* x = exp(x - max) / sum, in place; returns log(sum) + max. count >= 1. */
  float (*softmax)(float *x, size_t count);
  /* x = 1 / (1 + exp(-x)), in place; the same bits at every level. */
  void (*sigmoid)(float *x, size_t count);
  /* log(sum(exp(x))), double accumulation. count >= 1. */
  double (*log_sum_exp)(const float *x, size_t count);
  /* Index of the largest value, the first of equals; NaN never wins. 0 where there is none. */
  size_t (*argmax)(const float *x, size_t count);
} moe_operations;

/* Null where this machine or build has no variants of that level. */
const moe_operations *_Nullable moe_operations_at(moe_isa isa);
/* The best table at or below moe_isa_current(). */
const moe_operations *moe_operations_current(void);

/* Plain functions, the same at every level. */

/* The bytes [first, first + bytes) of each block, one block's behind the other's, and back. */
void moe_planes_split(const uint8_t *blocks, size_t block_bytes, size_t first, size_t bytes,
                      size_t count, uint8_t *plane);
void moe_planes_join(const uint8_t *plane, size_t block_bytes, size_t first, size_t bytes,
                     size_t count, uint8_t *blocks);

/* The two bytes of 16-bit words, apart and together; `rotates`: of each word turned left by a bit,
 * so that the exponent of a BF16 has a byte of its own. */
void moe_planes_split_16(const uint8_t *words, size_t count, int rotates, uint8_t *low,
                         uint8_t *high);
void moe_planes_join_16(const uint8_t *low, const uint8_t *high, size_t count, int rotates,
                        uint8_t *words);

/* CRC-32C of bytes that follow others with the checksum `crc`, 0 for none; by the processor's
 * instruction where there is one, unless `plain`. */
uint32_t moe_crc32c(uint32_t crc, const uint8_t *bytes, size_t count, int plain);

#pragma clang assume_nonnull end

#endif
