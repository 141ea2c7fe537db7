/* Rows taken through blocks of positions; shared by the levels with vectors.
 *
 * A level's file includes this after its products, `score` and `accumulate`, and its `weigh`, with
 * MOE_LEVEL as the level's qualifier and TILE_ROWS as the most rows that its products take. The
 * products are compiled for each type of cache and number of rows, all else once: in every place
 * that calls them they would make up most of the library and of the time to build it. A call per
 * block costs nothing beside its 64 positions. */
#ifndef MOE_ATTENTION_BLOCKS_H
#define MOE_ATTENTION_BLOCKS_H

typedef void (*block_product)(int rows, const moe_attention_head *head,
                              const moe_attention_tile *tile, size_t row, moe_range range,
                              int prefetch);

/* Of one type of cache. */
typedef struct {
  block_product score;      /* the rows' weights of a range of the block's positions */
  block_product accumulate; /* out += weights * values over such a range */
} block_products;

#define MOE_BLOCK_PRODUCT(name, product, type)                                                 \
  static MOE_LEVEL __attribute__((noinline)) void name(                                        \
      int rows, const moe_attention_head *head, const moe_attention_tile *tile, size_t row,    \
      moe_range range, int prefetch) {                                                         \
    if (rows == TILE_ROWS) return product(TILE_ROWS, type, head, tile, row, range, prefetch);  \
    if (TILE_ROWS > 4 && rows == 4) return product(4, type, head, tile, row, range, prefetch); \
    if (rows == 2) return product(2, type, head, tile, row, range, prefetch);                  \
    product(1, type, head, tile, row, range, prefetch);                                        \
  }

MOE_BLOCK_PRODUCT(score_f16, score, MOE_KV_F16)
MOE_BLOCK_PRODUCT(score_f32, score, MOE_KV_F32)
MOE_BLOCK_PRODUCT(score_bf16, score, MOE_KV_BF16)
MOE_BLOCK_PRODUCT(score_q8_0, score, MOE_KV_Q8_0)
MOE_BLOCK_PRODUCT(score_q4_0, score, MOE_KV_Q4_0)
MOE_BLOCK_PRODUCT(accumulate_f16, accumulate, MOE_KV_F16)
MOE_BLOCK_PRODUCT(accumulate_f32, accumulate, MOE_KV_F32)
MOE_BLOCK_PRODUCT(accumulate_bf16, accumulate, MOE_KV_BF16)
MOE_BLOCK_PRODUCT(accumulate_q8_0, accumulate, MOE_KV_Q8_0)
MOE_BLOCK_PRODUCT(accumulate_q4_0, accumulate, MOE_KV_Q4_0)

static const block_products products_by_type[] = {
    [MOE_KV_F16] = {score_f16, accumulate_f16},    [MOE_KV_F32] = {score_f32, accumulate_f32},
    [MOE_KV_BF16] = {score_bf16, accumulate_bf16}, [MOE_KV_Q8_0] = {score_q8_0, accumulate_q8_0},
    [MOE_KV_Q4_0] = {score_q4_0, accumulate_q4_0},
};

/* Takes a block of positions into `count` rows from `first` on. Rows see different parts of it;
 * what all see is taken together and the rest row by row, each row's positions in order. */
static MOE_LEVEL void attend_block(int count, const moe_attention_head *head,
                                   moe_attention_rows *rows, size_t first, size_t position) {
  block_products products = products_by_type[head->type];
  float weights[TILE_ROWS * MOE_ATTENTION_BLOCK];
  moe_attention_tile tile = {rows->q + first, rows->out + first, weights, position - head->begin,
                             moe_attention_keys_ahead(head, position + MOE_ATTENTION_BLOCK)};
  moe_range common = moe_attention_common(rows, first, (size_t)count, position);
  products.score(count, head, &tile, 0, common, first == 0);
  for (int r = 0; r < count; r++) {
    size_t row = first + (size_t)r;
    moe_range visible = moe_attention_visible(rows, row, position);
    if (visible.begin >= visible.end) continue;
    moe_range before = moe_attention_before(visible, common);
    moe_range after = moe_attention_after(visible, common);
    if (before.begin < before.end) products.score(1, head, &tile, (size_t)r, before, 0);
    if (after.begin < after.end) products.score(1, head, &tile, (size_t)r, after, 0);
    weigh(weights + r * MOE_ATTENTION_BLOCK, visible, head->soft_cap, &rows->largest[row],
          &rows->sum[row], rows->out[row], head->value_dimension);
    if (before.begin < before.end) products.accumulate(1, head, &tile, (size_t)r, before, 0);
  }
  if (common.begin < common.end)
    products.accumulate(count, head, &tile, 0, common, first == 0);
  for (int r = 0; r < count; r++) {
    moe_range visible = moe_attention_visible(rows, first + (size_t)r, position);
    moe_range after = moe_attention_after(visible, common);
    if (after.begin < after.end) products.accumulate(1, head, &tile, (size_t)r, after, 0);
  }
}

/* A function of the type `moe_attend_fn`. */
static MOE_LEVEL void attend(const moe_attention_head *head, moe_attention_rows *rows,
                             size_t begin, size_t end) {
  for (size_t position = begin; position < end; position += MOE_ATTENTION_BLOCK) {
    size_t row = 0;
    for (int count = TILE_ROWS; count > 0; count /= 2)
      for (; row + (size_t)count <= rows->count; row += (size_t)count)
        attend_block(count, head, rows, row, position);
  }
}

#endif
