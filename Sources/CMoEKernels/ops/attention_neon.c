/* Attention with an online softmax (arXiv 2205.14135, section 3.1), on vectors of four, in
 * twos.
 *
 * The same steps and the same order of every sum as in attention_avx2.c, which says why: a score
 * adds each of eight lanes over the head dimension and then the lanes; an output element adds its
 * positions. Nothing is prefetched by hand: how far ahead is found by measuring. */
#include "attention_units.h"

#if defined(__aarch64__)
#include "../quant/neon.h"
#include "tanh.h"

enum { LANES = 8, SUMS = 8, TILE_ROWS = 4, BLOCK = MOE_ATTENTION_BLOCK };

/* Eight integers as floats, times a 16-bit one. */
MOE_INLINE float32x4x2_t scaled(int16x8_t quants, const uint8_t *scale) {
  float factor = moe_load_f16_neon(scale);
  return (float32x4x2_t){
      {vmulq_n_f32(vcvtq_f32_s32(vmovl_s16(vget_low_s16(quants))), factor),
       vmulq_n_f32(vcvtq_f32_s32(vmovl_high_s16(quants)), factor)}};
}

/* Eight elements within a block, as floats. */
MOE_INLINE float32x4x2_t load_lanes(const void *cache, size_t index, moe_kv_type type) {
  switch (type) {
    case MOE_KV_F32:
      return moe_load_8_neon((const float *)cache + index);
    case MOE_KV_BF16: {
      uint16x8_t halves = vld1q_u16((const uint16_t *)cache + index);
      return (float32x4x2_t){
          {vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(halves), 16)),
           vreinterpretq_f32_u32(vshll_high_n_u16(halves, 16))}};
    }
    case MOE_KV_Q8_0: {
      moe_kv_place place = moe_kv_place_of(cache, type, index);
      int8x8_t bytes = vld1_s8((const int8_t *)(place.block + 2 + place.index));
      return scaled(vmovl_s8(bytes), place.block);
    }
    case MOE_KV_Q4_0: {
      moe_kv_place place = moe_kv_place_of(cache, type, index);
      uint8x8_t bytes = vld1_u8(place.block + 2 + place.index % 16);
      bytes = vshl_u8(bytes, vdup_n_s8((int8_t)-(int)(place.index / 16 * 4)));
      uint8x8_t quants = vand_u8(bytes, vdup_n_u8(15));
      return scaled(vsubq_s16(vreinterpretq_s16_u16(vmovl_u8(quants)), vdupq_n_s16(8)),
                    place.block);
    }
    default:
      return moe_load_8_f16_neon((const uint16_t *)cache + index);
  }
}

/* Scores of `positions` positions from j on, for `rows` rows from `row` on. */
MOE_INLINE void score_tile(const int rows, const int positions, const moe_kv_type type,
                           const moe_attention_head *head, const moe_attention_tile *tile,
                           size_t row, size_t j) {
  size_t width = head->key_dimension, start = (tile->index + j) * width, d = 0;
  float32x4x2_t sums[SUMS];
  for (int i = 0; i < SUMS; i++) sums[i] = moe_broadcast_8_neon(0);
  for (; d + LANES <= width; d += LANES) {
    float32x4x2_t keys[SUMS];
    for (int p = 0; p < positions; p++)
      keys[p] = load_lanes(head->keys, start + (size_t)p * width + d, type);
    for (int r = 0; r < rows; r++) {
      float32x4x2_t q = moe_load_8_neon(tile->q[row + (size_t)r] + d);
      for (int p = 0; p < positions; p++)
        sums[r * positions + p] = moe_fma_8_neon(sums[r * positions + p], q, keys[p]);
    }
  }
  float dots[SUMS];
  vst1q_f32(dots, moe_fold_4_neon(sums[0], sums[1], sums[2], sums[3]));
  if (rows * positions > 4)
    vst1q_f32(dots + 4, moe_fold_4_neon(sums[4], sums[5], sums[6], sums[7]));
  for (int r = 0; r < rows; r++) {
    for (int p = 0; p < positions; p++) {
      float dot = dots[r * positions + p];
      for (size_t t = d; t < width; t++)
        dot = fmaf(tile->q[row + (size_t)r][t],
                   moe_kv_load(head->keys, start + (size_t)p * width + t, type), dot);
      tile->weights[(row + (size_t)r) * BLOCK + j + (size_t)p] = dot * head->scale;
    }
  }
}

/* Scores of a range of the block's positions. */
MOE_INLINE void score(const int rows, const moe_kv_type type, const moe_attention_head *head,
                      const moe_attention_tile *tile, size_t row, moe_range range, int prefetch) {
  const int positions = SUMS / rows;
  size_t j = range.begin;
  for (; j + (size_t)positions <= range.end; j += (size_t)positions)
    score_tile(rows, positions, type, head, tile, row, j);
  for (; j < range.end; j++) score_tile(rows, 1, type, head, tile, row, j);
}

/* out += weights * values over a range of positions, `vectors` eights from dimension d on. */
MOE_INLINE void accumulate_tile(const int rows, const int vectors, const moe_kv_type type,
                                const moe_attention_head *head, const moe_attention_tile *tile,
                                size_t row, moe_range range, size_t d) {
  float32x4x2_t sums[SUMS];
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < vectors; v++)
      sums[r * vectors + v] = moe_load_8_neon(tile->out[row + (size_t)r] + d + LANES * v);
  for (size_t j = range.begin; j < range.end; j++) {
    size_t start = (tile->index + j) * head->value_stride + d;
    float32x4x2_t values[SUMS];
    for (int v = 0; v < vectors; v++)
      values[v] = load_lanes(head->values, start + (size_t)(LANES * v), type);
    for (int r = 0; r < rows; r++) {
      float32x4x2_t weight =
          moe_broadcast_8_neon(tile->weights[(row + (size_t)r) * BLOCK + j]);
      for (int v = 0; v < vectors; v++)
        sums[r * vectors + v] = moe_fma_8_neon(sums[r * vectors + v], weight, values[v]);
    }
  }
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < vectors; v++)
      moe_store_8_neon(tile->out[row + (size_t)r] + d + LANES * v, sums[r * vectors + v]);
}

MOE_INLINE void accumulate(const int rows, const moe_kv_type type, const moe_attention_head *head,
                           const moe_attention_tile *tile, size_t row, moe_range range,
                           int prefetch) {
  const int vectors = SUMS / rows;
  size_t width = head->value_dimension, d = 0;
  for (; d + (size_t)(vectors * LANES) <= width; d += (size_t)(vectors * LANES))
    accumulate_tile(rows, vectors, type, head, tile, row, range, d);
  for (; d + LANES <= width; d += LANES)
    accumulate_tile(rows, 1, type, head, tile, row, range, d);
  for (; d < width; d++) {
    for (int r = 0; r < rows; r++) {
      const float *weights = tile->weights + (row + (size_t)r) * BLOCK;
      float *out = tile->out[row + (size_t)r] + d;
      for (size_t j = range.begin; j < range.end; j++)
        *out = fmaf(weights[j],
                    moe_kv_load(head->values, (tile->index + j) * head->value_stride + d, type),
                    *out);
    }
  }
}

/* The largest lane in every lane, by the steps that the vectors of eight take. */
MOE_INLINE float32x4x2_t largest_lanes(float32x4x2_t v) {
  float32x4_t halves[2] = {moe_larger_neon(v.val[0], v.val[1]),
                           moe_larger_neon(v.val[1], v.val[0])};
  for (int i = 0; i < 2; i++) {
    halves[i] = moe_larger_neon(halves[i], vextq_f32(halves[i], halves[i], 2));
    halves[i] = moe_larger_neon(halves[i], vrev64q_f32(halves[i]));
  }
  return (float32x4x2_t){{halves[0], halves[1]}};
}

/* cap * tanh(score / cap). */
static void cap_scores(float *scores, size_t count, float cap) {
  float32x4_t most = vdupq_n_f32(cap), inverse = vdupq_n_f32(1.0f / cap);
  for (size_t j = 0; j < count; j += 4) {
    float32x4_t score = moe_tanh_neon(vmulq_f32(vld1q_f32(scores + j), inverse));
    vst1q_f32(scores + j, vmulq_f32(score, most));
  }
}

/* Scores of one row to weights relative to the largest so far; what was summed before fades. The
 * block's positions that are not visible weigh 0. */
static void weigh(float *weights, moe_range visible, float cap, float *largest, float *sum,
                  float *out, size_t width) {
  size_t padded = (visible.end + LANES - 1) / LANES * LANES;
  moe_attention_hide(weights, visible, padded);
  if (cap > 0) {
    cap_scores(weights, padded, cap);
    moe_attention_hide(weights, visible, padded);
  }
  float32x4x2_t most = moe_broadcast_8_neon(*largest);
  for (size_t j = 0; j < padded; j += LANES) {
    for (int i = 0; i < 2; i++)
      most.val[i] = moe_larger_neon(most.val[i], vld1q_f32(weights + j + 4 * i));
  }
  most = largest_lanes(most);
  float new_largest = vgetq_lane_f32(most.val[0], 0);
  float32x4_t base = vdupq_n_f32(moe_attention_base(new_largest));

  float32x4x2_t sums = moe_broadcast_8_neon(0);
  for (size_t j = 0; j < padded; j += LANES) {
    for (int i = 0; i < 2; i++) {
      float32x4_t score = vld1q_f32(weights + j + 4 * i);
      float32x4_t weight = moe_exp_neon(vsubq_f32(score, base));
      vst1q_f32(weights + j + 4 * i, weight);
      sums.val[i] = vaddq_f32(sums.val[i], weight);
    }
  }
  float added = moe_sum_pairs_neon(sums);
  if (new_largest != *largest) {
    float fade = moe_attention_weight(*largest, new_largest);
    *sum *= fade;
    for (size_t d = 0; d < width; d++) out[d] *= fade;
    *largest = new_largest;
  }
  *sum += added;
}

#define MOE_LEVEL
#include "attention_blocks.h"

void moe_attention_neon(const void *job, unsigned worker, unsigned worker_count) {
  moe_attention_share(job, worker, worker_count, attend);
}
#endif
