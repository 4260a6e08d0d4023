// y = m' * ((m * softmax(Q * transpose(K) / sqrt(d) over allowed pairs)) * V), tile by tile of keys, with a running maximum
// and sum per query, so that no matrix of scores is ever stored (Dao et al. 2022).
//
// Grid: head of a sequence by tile of queries.
extern "C" __global__ void __launch_bounds__(THREADS)
attention(const float *qkv, Numbers y, float *log_sums, unsigned tokens, unsigned heads, unsigned head_width,
          float scale, Rule rule, Dropout dropout, Dropout dropout_of_y, unsigned long long first_of_y) {
    DYNAMIC_SHARED(shared);
    float *queries = (float *)shared;
    float *keys = queries + TILE * STRIDE;
    float *values = keys + TILE * STRIDE;
    float *weights = values + TILE * STRIDE;

    const float minus_infinity = -__int_as_float(0x7f800000);
    Head head(tokens, heads, head_width);
    unsigned first_query = blockIdx.y * TILE;
    unsigned query_count = min((unsigned)TILE, tokens - first_query);
    unsigned long long stride = 3 * head.hidden;
    load_tile(queries, qkv + head.in_qkv(0, first_query), stride, query_count, head.width);

    float largest[ROWS], total[ROWS], sums[ROWS][COLUMNS];
    for (int i = 0; i < ROWS; ++i) {
        largest[i] = minus_infinity;
        total[i] = 0.0f;
        for (int j = 0; j < COLUMNS; ++j) {
            sums[i][j] = 0.0f;
        }
    }
    // Only a tile without prefix queries can leave later keys out.
    unsigned last_query = first_query + query_count - 1;
    unsigned end = first_query < rule.prefix ? tokens : key_end(rule, last_query, tokens);
    for (unsigned first_key = 0; first_key < end; first_key += TILE) {
        unsigned key_count = min((unsigned)TILE, tokens - first_key);
        __syncthreads();
        load_tile(keys, qkv + head.in_qkv(1, first_key), stride, key_count, head.width);
        load_tile(values, qkv + head.in_qkv(2, first_key), stride, key_count, head.width);
        __syncthreads();
        float scores[ROWS][ROWS];
        dot_rows(queries, keys, scores);
#pragma unroll
        for (int i = 0; i < ROWS; ++i) {
            unsigned row = gy() * ROWS + i, query = first_query + row;
            float before = largest[i];
#pragma unroll
            for (int j = 0; j < ROWS; ++j) {
                bool allowed = allows(rule, query, first_key + gx() + 16 * j, tokens);
                scores[i][j] = allowed ? scores[i][j] * scale : minus_infinity;
                largest[i] = fmaxf(largest[i], scores[i][j]);
            }
            largest[i] = maximum_over_lanes(largest[i], 16);
            // Before the first allowed key there is no maximum to subtract.
            float shift = largest[i] == minus_infinity ? 0.0f : largest[i];
            float keep = expf(before - shift);
            total[i] *= keep;
#pragma unroll
            for (int j = 0; j < COLUMNS; ++j) {
                sums[i][j] *= keep;
            }
            DropoutReader reader(dropout);
#pragma unroll
            for (int j = 0; j < ROWS; ++j) {
                unsigned column = gx() + 16 * j;
                float weight = expf(scores[i][j] - shift);
                total[i] += weight;
                float m = reader.multiplier(head.element(query, first_key + column));
                weights[row * WEIGHT_STRIDE + column] = m * weight;
            }
        }
        __syncthreads();
        add_product(weights, values, sums);
    }
#pragma unroll
    for (int i = 0; i < ROWS; ++i) {
        unsigned query = first_query + gy() * ROWS + i;
        float sum = sum_over_lanes(total[i], 16);
        if (query >= tokens) {
            continue;
        }
        if (gx() == 0) {
            log_sums[head.in_statistics(query)] = largest[i] + logf(sum);
        }
        DropoutReader reader(dropout_of_y);
#pragma unroll
        for (int j = 0; j < COLUMNS; ++j) {
            unsigned column = gx() + 16 * j;
            if (column < head.width) {
                float m = reader.multiplier(first_of_y + head.in_y(query) + column);
                head.set(y, query, column, sums[i][j] / sum * m);
            }
        }
    }
}
