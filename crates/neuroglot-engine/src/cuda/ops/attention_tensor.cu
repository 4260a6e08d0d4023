// y = (m * softmax(Q * transpose(K) / sqrt(d) over allowed pairs)) * V by tensor cores, tile by tile of keys, with a
// running maximum and sum per query (Dao et al. 2022).
//
// Grid: head of a sequence by ROWS_OF_BLOCK queries.
extern "C" __global__ void __launch_bounds__(THREADS)
attention(const float *qkv, float *y, float *log_sums, unsigned tokens, unsigned heads, unsigned head_width,
          float scale, Rule rule, Dropout dropout) {
    DYNAMIC_SHARED(shared);
    float *keys = (float *)shared;
    float *values = keys + TILE * STRIDE;

    const float minus_infinity = -__int_as_float(0x7f800000);
    Head head(tokens, heads, head_width);
    unsigned first_of_block = blockIdx.y * ROWS_OF_BLOCK;
    unsigned first_query = first_of_block + first_row_of_warp();
    unsigned query_count = first_query < tokens ? min((unsigned)ROWS_OF_WARP, tokens - first_query) : 0;
    unsigned long long stride = 3 * head.hidden;

    float queries[STEPS][4], sums[STEPS][4], largest[2], total[2];
    load_rows(queries, qkv + head.in_qkv(0, first_query), stride, query_count, head.width);
    clear(sums);
    for (int row = 0; row < 2; ++row) {
        largest[row] = minus_infinity;
        total[row] = 0.0f;
    }
    // Only a block without prefix queries can leave later keys out.
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
        float weights[GROUPS][4], multipliers[GROUPS][4];
        float before[2] = {largest[0], largest[1]};
#pragma unroll
        for (int group = 0; group < GROUPS; ++group) {
            if (8 * group < key_count) {
                dot_rows(weights[group], queries, keys, group);
            }
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                unsigned key = first_key + 8 * group + result_column(i);
                bool allowed = allows(rule, first_query + result_row(i), key, tokens);
                weights[group][i] = allowed ? weights[group][i] * scale : minus_infinity;
                largest[i / 2] = fmaxf(largest[i / 2], weights[group][i]);
            }
        }
        float shift[2];
#pragma unroll
        for (int row = 0; row < 2; ++row) {
            largest[row] = maximum_over_lanes(largest[row], 4);
            // Before the first allowed key there is no maximum to subtract.
            shift[row] = largest[row] == minus_infinity ? 0.0f : largest[row];
            float keep = expf(before[row] - shift[row]);
            total[row] *= keep;
#pragma unroll
            for (int step = 0; step < STEPS; ++step) {
                sums[step][2 * row] *= keep;
                sums[step][2 * row + 1] *= keep;
            }
        }
        multipliers_of_tile(multipliers, dropout, head, first_query, first_key);
#pragma unroll
        for (int group = 0; group < GROUPS; ++group) {
            if (8 * group < key_count) {
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    float weight = expf(weights[group][i] - shift[i / 2]);
                    total[i / 2] += weight;
                    weights[group][i] = weight * multipliers[group][i];
                }
                add_product(sums, weights[group], values, group);
            }
        }
    }
    if (query_count == 0) {
        return;
    }
#pragma unroll
    for (int row = 0; row < 2; ++row) {
        unsigned query = first_query + result_row(2 * row);
        float sum = sum_over_lanes(total[row], 4);
        if (query >= tokens) {
            continue;
        }
        if (lane_in_group() == 0) {
            log_sums[head.in_statistics(query)] = largest[row] + logf(sum);
        }
#pragma unroll
        for (int step = 0; step < STEPS; ++step) {
#pragma unroll
            for (int i = 2 * row; i < 2 * row + 2; ++i) {
                unsigned column = 8 * step + result_column(i);
                if (column < head.width) {
                    y[head.in_y(query) + column] = sums[step][i] / sum;
                }
            }
        }
    }
}
