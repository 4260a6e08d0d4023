// The warp's rows of a part of qkv, of which `count` from token `first` on are there; zeros fill them up.
__device__ inline Rows rows_of_part(unsigned part, const float *qkv, const Head &head, unsigned first, unsigned count) {
    Rows rows;
    rows.load([&](int half, unsigned column) {
        unsigned row = lane_group() + 8 * half;
        bool inside = row < count && column < head.width;
        return inside ? qkv[head.in_qkv(part, first + row) + column] : 0.0f;
    });
    return rows;
}

// y = m' * ((m * softmax(Q * transpose(K) / sqrt(d) over allowed pairs)) * V) by tensor cores, tile by tile of keys, with a
// running maximum and sum per query (Dao et al. 2022).
//
// Grid: head of a sequence by ROWS_OF_BLOCK queries.
extern "C" __global__ void __launch_bounds__(THREADS)
attention(const float *qkv, Numbers y, float *log_sums, unsigned tokens, unsigned heads, unsigned head_width,
          float scale, Rule rule, Dropout dropout, Dropout dropout_of_y, unsigned long long first_of_y) {
    DYNAMIC_SHARED(shared);
    Element *keys = (Element *)shared;
    Element *values = keys + TILE * STRIDE;

    const float minus_infinity = -__int_as_float(0x7f800000);
    Head head(tokens, heads, head_width);
    unsigned first_of_block = blockIdx.y * ROWS_OF_BLOCK;
    unsigned first_query = first_of_block + first_row_of_warp();
    unsigned query_count = first_query < tokens ? min((unsigned)ROWS_OF_WARP, tokens - first_query) : 0;
    unsigned long long stride = 3 * head.hidden;

    Rows queries = rows_of_part(0, qkv, head, first_query, query_count);
    float sums[STEPS][4], largest[2], total[2];
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
        float weights[PAIRS][2][4], multipliers[PAIRS][2][4];
        float before[2] = {largest[0], largest[1]};
#pragma unroll
        for (int pair = 0; pair < PAIRS; ++pair) {
            if (16 * pair < key_count) {
                dot_rows(weights[pair], queries, keys, pair);
            }
#pragma unroll
            for (int half = 0; half < 2; ++half) {
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    float &weight = weights[pair][half][i];
                    unsigned key = first_key + 16 * pair + 8 * half + result_column(i);
                    bool allowed = allows(rule, first_query + result_row(i), key, tokens);
                    weight = allowed ? weight * scale : minus_infinity;
                    largest[i / 2] = fmaxf(largest[i / 2], weight);
                }
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
        for (int pair = 0; pair < PAIRS; ++pair) {
            if (16 * pair < key_count) {
#pragma unroll
                for (int half = 0; half < 2; ++half) {
#pragma unroll
                    for (int i = 0; i < 4; ++i) {
                        float weight = expf(weights[pair][half][i] - shift[i / 2]);
                        total[i / 2] += weight;
                        weights[pair][half][i] = weight * multipliers[pair][half][i];
                    }
                }
                add_product(sums, weights[pair], values, pair);
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
        for (int i = 2 * row; i < 2 * row + 2; ++i) {
#pragma unroll
            for (int parity = 0; parity < 2; ++parity) {
                DropoutReader reader(dropout_of_y);
#pragma unroll
                for (int step = parity; step < STEPS; step += 2) {
                    unsigned column = 8 * step + result_column(i);
                    if (column < head.width) {
                        float m = reader.multiplier(first_of_y + head.in_y(query) + column);
                        head.set(y, query, column, sums[step][i] / sum * m);
                    }
                }
            }
        }
    }
}
