// The gradient of the attention by tensor cores, weights recomputed from scores and log-sums. Each sum has one warp that
// owns it.

// dQ = dS * K with dS = P * (m * dP - delta) / sqrt(d), of ROWS_OF_BLOCK queries.
__device__ inline void query_gradients(const Gradients &of, const Head &head, Element *keys, Element *values) {
    unsigned tokens = head.tokens, first_of_block = blockIdx.y * ROWS_OF_BLOCK;
    unsigned first_query = first_of_block + first_row_of_warp();
    unsigned query_count = first_query < tokens ? min((unsigned)ROWS_OF_WARP, tokens - first_query) : 0;
    unsigned long long stride = 3 * head.hidden;

    Rows queries = rows_of_part(0, of.qkv, head, first_query, query_count), dy_rows;
    // As in Gradients::load_dy, in registers.
    float delta[2] = {0.0f, 0.0f};
    DropoutReader reader(of.of_y.dropout);
    dy_rows.load([&](int half, unsigned column) {
        unsigned row = lane_group() + 8 * half;
        if (row >= query_count || column >= head.width) {
            return 0.0f;
        }
        unsigned long long place = head.in_y(first_query + row) + column;
        float dy = of.dy[place];
        delta[half] = fmaf(head.of_y(of.y, first_query + row, column), dy, delta[half]);
        return dy * reader.multiplier(of.of_y.first + place);
    });
    float dq[STEPS][4], log_sum[2];
    clear(dq);
    for (int row = 0; row < 2; ++row) {
        unsigned query = first_query + result_row(2 * row);
        delta[row] = sum_over_lanes(delta[row], 4);
        log_sum[row] = query < tokens ? of.log_sums[head.in_statistics(query)] : 0.0f;
    }
    // Only a block without prefix queries can leave later keys out.
    unsigned last_query = min(first_of_block + ROWS_OF_BLOCK, tokens) - 1;
    unsigned end = first_of_block < of.rule.prefix ? tokens : key_end(of.rule, last_query, tokens);
    for (unsigned first_key = 0; first_key < end; first_key += TILE) {
        unsigned key_count = min((unsigned)TILE, tokens - first_key);
        __syncthreads();
        load_tile(keys, of.qkv + head.in_qkv(1, first_key), stride, key_count, head.width);
        load_tile(values, of.qkv + head.in_qkv(2, first_key), stride, key_count, head.width);
        __syncthreads();
        // Whole warps leave here together.
        if (query_count == 0) {
            continue;
        }
        float multipliers[PAIRS][2][4];
        multipliers_of_tile(multipliers, of.dropout, head, first_query, first_key);
#pragma unroll
        for (int pair = 0; pair < PAIRS; ++pair) {
            if (16 * pair < key_count) {
                float weights[2][4], gradients[2][4];
                dot_rows(weights, queries, keys, pair);
                dot_rows(gradients, dy_rows, values, pair);
#pragma unroll
                for (int half = 0; half < 2; ++half) {
#pragma unroll
                    for (int i = 0; i < 4; ++i) {
                        unsigned key = first_key + 16 * pair + 8 * half + result_column(i);
                        bool allowed = allows(of.rule, first_query + result_row(i), key, tokens);
                        float weight = allowed ? expf(weights[half][i] * of.scale - log_sum[i / 2]) : 0.0f;
                        float dp = multipliers[pair][half][i] * gradients[half][i];
                        gradients[half][i] = weight * (dp - delta[i / 2]) * of.scale;
                    }
                }
                add_product(dq, gradients, keys, pair);
            }
        }
    }
#pragma unroll
    for (int step = 0; step < STEPS; ++step) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            unsigned query = first_query + result_row(i), column = 8 * step + result_column(i);
            if (query < tokens && column < head.width) {
                head.set_part(of.dqkv, 0, query, column, dq[step][i]);
            }
        }
    }
}

// dV = transpose(m * P) * dy and dK = transpose(dS) * Q, of ROWS_OF_BLOCK keys; rows are keys, columns queries.
__device__ inline void key_gradients(const Gradients &of, const Head &head, Element *queries, Element *dy_tile) {
    __shared__ float deltas[TILE], log_sums[TILE];
    unsigned tokens = head.tokens, first_of_block = blockIdx.y * ROWS_OF_BLOCK;
    unsigned first_key = first_of_block + first_row_of_warp();
    unsigned key_count = first_key < tokens ? min((unsigned)ROWS_OF_WARP, tokens - first_key) : 0;
    unsigned long long stride = 3 * head.hidden;

    Rows keys = rows_of_part(1, of.qkv, head, first_key, key_count);
    Rows values = rows_of_part(2, of.qkv, head, first_key, key_count);
    float dk[STEPS][4], dv[STEPS][4];
    clear(dk);
    clear(dv);
    for (unsigned first_query = 0; first_query < tokens; first_query += TILE) {
        unsigned query_count = min((unsigned)TILE, tokens - first_query);
        unsigned last_query = first_query + query_count - 1;
        if (first_query >= of.rule.prefix && key_end(of.rule, last_query, tokens) <= first_of_block) {
            continue;
        }
        __syncthreads();
        load_tile(queries, of.qkv + head.in_qkv(0, first_query), stride, query_count, head.width);
        of.load_dy(dy_tile, deltas, log_sums, head, first_query, query_count);
        __syncthreads();
        // Whole warps leave here together.
        if (key_count == 0) {
            continue;
        }
        // Not unrolled: every element has random bits of its own, and copies of that loop fill the instruction cache.
#pragma unroll 1
        for (int pair = 0; pair < PAIRS; ++pair) {
            if (16 * pair < query_count) {
                float weights[2][4], gradients[2][4];
                dot_rows(weights, keys, queries, pair);
                dot_rows(gradients, values, dy_tile, pair);
                DropoutReader reader(of.dropout);
#pragma unroll
                for (int half = 0; half < 2; ++half) {
#pragma unroll
                    for (int i = 0; i < 4; ++i) {
                        unsigned place = 16 * pair + 8 * half + result_column(i);
                        unsigned key = first_key + result_row(i), query = first_query + place;
                        bool allowed = allows(of.rule, query, key, tokens);
                        float weight = allowed ? expf(weights[half][i] * of.scale - log_sums[place]) : 0.0f;
                        float m = reader.multiplier(head.element(query, key));
                        gradients[half][i] = weight * (m * gradients[half][i] - deltas[place]) * of.scale;
                        weights[half][i] = weight * m;
                    }
                }
                add_product(dv, weights, dy_tile, pair);
                add_product(dk, gradients, queries, pair);
            }
        }
    }
#pragma unroll
    for (int step = 0; step < STEPS; ++step) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            unsigned key = first_key + result_row(i), column = 8 * step + result_column(i);
            if (key < tokens && column < head.width) {
                head.set_part(of.dqkv, 1, key, column, dk[step][i]);
                head.set_part(of.dqkv, 2, key, column, dv[step][i]);
            }
        }
    }
}

// Grid: head of a sequence by ROWS_OF_BLOCK tokens, first as queries, then as keys.
extern "C" __global__ void __launch_bounds__(THREADS)
attention_gradients(const float *qkv, Numbers y, const float *log_sums, const float *dy, Numbers dqkv,
                    unsigned tokens, unsigned heads, unsigned head_width, float scale, Rule rule, Dropout dropout,
                    Dropout dropout_of_y, unsigned long long first_of_y) {
    DYNAMIC_SHARED(shared);
    Element *first_tile = (Element *)shared, *second_tile = first_tile + TILE * STRIDE;
    Head head(tokens, heads, head_width);
    Gradients of{qkv, log_sums, dy, y, dqkv, scale, rule, dropout, {dropout_of_y, first_of_y}};
    query_gradients(of, head, first_tile, second_tile);
    key_gradients(of, head, first_tile, second_tile);
}
