// The gradient of the attention by tensor cores, weights recomputed from scores and log-sums. Each sum has one warp that
// owns it.

// dQ = dS * K with dS = P * (m * dP - delta) / sqrt(d), delta = sum over keys of P * m * dP.
//
// delta is known only behind the last key, so the two parts of dS * K are added up apart. deltas [batch, heads,
// tokens] receives it for the kernel of the keys.
//
// Grid: head of a sequence by ROWS_OF_BLOCK queries.
extern "C" __global__ void __launch_bounds__(THREADS)
attention_query_gradients(const float *qkv, const float *log_sums, const float *dy, float *dqkv, float *deltas,
                          unsigned tokens, unsigned heads, unsigned head_width, float scale, Rule rule,
                          Dropout dropout) {
    DYNAMIC_SHARED(shared);
    float *keys = (float *)shared;
    float *values = keys + TILE * STRIDE;

    Head head(tokens, heads, head_width);
    unsigned first_of_block = blockIdx.y * ROWS_OF_BLOCK;
    unsigned first_query = first_of_block + first_row_of_warp();
    unsigned query_count = first_query < tokens ? min((unsigned)ROWS_OF_WARP, tokens - first_query) : 0;
    unsigned long long stride = 3 * head.hidden;

    float queries[STEPS][4], dy_rows[STEPS][4], by_gradient[STEPS][4], by_weight[STEPS][4];
    load_rows(queries, qkv + head.in_qkv(0, first_query), stride, query_count, head.width);
    load_rows(dy_rows, dy + head.in_y(first_query), head.hidden, query_count, head.width);
    clear(by_gradient);
    clear(by_weight);
    float delta[2], log_sum[2];
    for (int row = 0; row < 2; ++row) {
        unsigned query = first_query + result_row(2 * row);
        delta[row] = 0.0f;
        log_sum[row] = query < tokens ? log_sums[head.in_statistics(query)] : 0.0f;
    }
    unsigned last_query = min(first_of_block + ROWS_OF_BLOCK, tokens) - 1;
    unsigned end = first_of_block < rule.prefix ? tokens : key_end(rule, last_query, tokens);
    for (unsigned first_key = 0; first_key < end; first_key += TILE) {
        unsigned key_count = min((unsigned)TILE, tokens - first_key);
        __syncthreads();
        load_tile(keys, qkv + head.in_qkv(1, first_key), stride, key_count, head.width);
        load_tile(values, qkv + head.in_qkv(2, first_key), stride, key_count, head.width);
        __syncthreads();
        // Whole warps leave here together.
        if (query_count == 0) {
            continue;
        }
        float multipliers[GROUPS][4];
        multipliers_of_tile(multipliers, dropout, head, first_query, first_key);
#pragma unroll
        for (int group = 0; group < GROUPS; ++group) {
            if (8 * group < key_count) {
                float weights[4], products[4];
                dot_rows(weights, queries, keys, group);
                dot_rows(products, dy_rows, values, group);
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    unsigned key = first_key + 8 * group + result_column(i);
                    bool allowed = allows(rule, first_query + result_row(i), key, tokens);
                    weights[i] = allowed ? expf(weights[i] * scale - log_sum[i / 2]) : 0.0f;
                    products[i] *= weights[i] * multipliers[group][i];
                    delta[i / 2] += products[i];
                }
                add_product(by_gradient, products, keys, group);
                add_product(by_weight, weights, keys, group);
            }
        }
    }
    if (query_count == 0) {
        return;
    }
#pragma unroll
    for (int row = 0; row < 2; ++row) {
        unsigned query = first_query + result_row(2 * row);
        float sum = sum_over_lanes(delta[row], 4);
        if (query >= tokens) {
            continue;
        }
        if (lane_in_group() == 0) {
            deltas[head.in_statistics(query)] = sum;
        }
#pragma unroll
        for (int step = 0; step < STEPS; ++step) {
#pragma unroll
            for (int i = 2 * row; i < 2 * row + 2; ++i) {
                unsigned column = 8 * step + result_column(i);
                if (column < head.width) {
                    dqkv[head.in_qkv(0, query) + column] = scale * (by_gradient[step][i] - sum * by_weight[step][i]);
                }
            }
        }
    }
}

// dV = transpose(m * P) * dy and dK = transpose(dS) * Q; rows are keys, columns queries.
//
// Grid: head of a sequence by ROWS_OF_BLOCK keys.
extern "C" __global__ void __launch_bounds__(THREADS)
attention_key_gradients(const float *qkv, const float *log_sums, const float *dy, float *dqkv, const float *deltas,
                        unsigned tokens, unsigned heads, unsigned head_width, float scale, Rule rule,
                        Dropout dropout) {
    DYNAMIC_SHARED(shared);
    float *queries = (float *)shared;
    float *dy_tile = queries + TILE * STRIDE;

    Head head(tokens, heads, head_width);
    unsigned first_of_block = blockIdx.y * ROWS_OF_BLOCK;
    unsigned first_key = first_of_block + first_row_of_warp();
    unsigned key_count = first_key < tokens ? min((unsigned)ROWS_OF_WARP, tokens - first_key) : 0;
    unsigned long long stride = 3 * head.hidden;

    float keys[STEPS][4], values[STEPS][4], dk[STEPS][4], dv[STEPS][4];
    load_rows(keys, qkv + head.in_qkv(1, first_key), stride, key_count, head.width);
    load_rows(values, qkv + head.in_qkv(2, first_key), stride, key_count, head.width);
    clear(dk);
    clear(dv);
    for (unsigned first_query = 0; first_query < tokens; first_query += TILE) {
        unsigned query_count = min((unsigned)TILE, tokens - first_query);
        unsigned last_query = first_query + query_count - 1;
        if (first_query >= rule.prefix && key_end(rule, last_query, tokens) <= first_of_block) {
            continue;
        }
        __syncthreads();
        load_tile(queries, qkv + head.in_qkv(0, first_query), stride, query_count, head.width);
        load_tile(dy_tile, dy + head.in_y(first_query), head.hidden, query_count, head.width);
        __syncthreads();
        // Whole warps leave here together.
        if (key_count == 0) {
            continue;
        }
        // Not unrolled: every element has random bits of its own, and copies of that loop fill the instruction cache.
#pragma unroll 1
        for (int group = 0; group < GROUPS; ++group) {
            if (8 * group < query_count) {
                float weights[4], gradients[4];
                dot_rows(weights, keys, queries, group);
                dot_rows(gradients, values, dy_tile, group);
                DropoutReader reader(dropout);
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    unsigned key = first_key + result_row(i), query = first_query + 8 * group + result_column(i);
                    bool allowed = allows(rule, query, key, tokens);
                    float log_sum = allowed ? log_sums[head.in_statistics(query)] : 0.0f;
                    float delta = allowed ? deltas[head.in_statistics(query)] : 0.0f;
                    float weight = allowed ? expf(weights[i] * scale - log_sum) : 0.0f;
                    float m = reader.multiplier(head.element(query, key));
                    gradients[i] = weight * (m * gradients[i] - delta) * scale;
                    weights[i] = weight * m;
                }
                add_product(dv, weights, dy_tile, group);
                add_product(dk, gradients, queries, group);
            }
        }
    }
#pragma unroll
    for (int step = 0; step < STEPS; ++step) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            unsigned key = first_key + result_row(i), column = 8 * step + result_column(i);
            if (key < tokens && column < head.width) {
                dqkv[head.in_qkv(1, key) + column] = dk[step][i];
                dqkv[head.in_qkv(2, key) + column] = dv[step][i];
            }
        }
    }
}
