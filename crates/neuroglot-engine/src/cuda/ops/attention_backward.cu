// The gradient of the attention, weights recomputed from scores and log-sums. One kernel for the queries' gradient,
// with a block per tile of queries, and one for that of keys and values, with a block per tile of keys: each sum has
// one block that owns it.

// Weights P and gradients m * dP of one tile of pairs, rows queries, columns keys; also m itself.
struct Pairs {
    float weight[ROWS][ROWS];
    float gradient[ROWS][ROWS];
    float multiplier[ROWS][ROWS];

    __device__ void compute(const Head &head, const Rule &rule, const Dropout &dropout, float scale,
                            const float *log_sums, const float *queries, const float *dy, const float *keys,
                            const float *values, unsigned first_query, unsigned first_key) {
        dot_rows(queries, keys, weight);
        dot_rows(dy, values, gradient);
#pragma unroll
        for (int i = 0; i < ROWS; ++i) {
            unsigned query = first_query + gy() * ROWS + i;
            float log_sum = query < head.tokens ? log_sums[head.in_statistics(query)] : 0.0f;
            DropoutReader reader(dropout);
#pragma unroll
            for (int j = 0; j < ROWS; ++j) {
                unsigned key = first_key + gx() + 16 * j;
                bool allowed = allows(rule, query, key, head.tokens);
                weight[i][j] = allowed ? expf(weight[i][j] * scale - log_sum) : 0.0f;
                multiplier[i][j] = reader.multiplier(head.element(query, key));
                gradient[i][j] *= multiplier[i][j];
            }
        }
    }
};

// dQ = dS * K with dS = P * (m * dP - delta) / sqrt(d), delta = sum over keys of P * m * dP.
//
// delta is known only behind the last key, so the two parts of dS * K are added up apart. deltas [batch, heads,
// tokens] receives it for the kernel of the keys.
//
// Grid: head of a sequence by tile of queries.
extern "C" __global__ void __launch_bounds__(THREADS)
attention_query_gradients(const float *qkv, const float *log_sums, const float *dy, float *dqkv, float *deltas,
                          unsigned tokens, unsigned heads, unsigned head_width, float scale, Rule rule,
                          Dropout dropout) {
    DYNAMIC_SHARED(shared);
    float *queries = (float *)shared;
    float *dy_tile = queries + TILE * STRIDE;
    float *keys = dy_tile + TILE * STRIDE;
    float *values = keys + TILE * STRIDE;
    float *weights = values + TILE * STRIDE;

    Head head(tokens, heads, head_width);
    unsigned first_query = blockIdx.y * TILE;
    unsigned query_count = min((unsigned)TILE, tokens - first_query);
    unsigned long long stride = 3 * head.hidden;
    load_tile(queries, qkv + head.in_qkv(0, first_query), stride, query_count, head.width);
    load_tile(dy_tile, dy + head.in_y(first_query), head.hidden, query_count, head.width);

    float delta[ROWS], by_gradient[ROWS][COLUMNS], by_weight[ROWS][COLUMNS];
    for (int i = 0; i < ROWS; ++i) {
        delta[i] = 0.0f;
        for (int j = 0; j < COLUMNS; ++j) {
            by_gradient[i][j] = 0.0f;
            by_weight[i][j] = 0.0f;
        }
    }
    unsigned last_query = first_query + query_count - 1;
    unsigned end = first_query < rule.prefix ? tokens : key_end(rule, last_query, tokens);
    for (unsigned first_key = 0; first_key < end; first_key += TILE) {
        unsigned key_count = min((unsigned)TILE, tokens - first_key);
        __syncthreads();
        load_tile(keys, qkv + head.in_qkv(1, first_key), stride, key_count, head.width);
        load_tile(values, qkv + head.in_qkv(2, first_key), stride, key_count, head.width);
        __syncthreads();
        Pairs pairs;
        pairs.compute(head, rule, dropout, scale, log_sums, queries, dy_tile, keys, values, first_query, first_key);
#pragma unroll
        for (int i = 0; i < ROWS; ++i) {
#pragma unroll
            for (int j = 0; j < ROWS; ++j) {
                float product = pairs.weight[i][j] * pairs.gradient[i][j];
                delta[i] += product;
                weights[(gy() * ROWS + i) * WEIGHT_STRIDE + gx() + 16 * j] = product;
            }
        }
        __syncthreads();
        add_product(weights, keys, by_gradient);
        __syncthreads();
#pragma unroll
        for (int i = 0; i < ROWS; ++i) {
#pragma unroll
            for (int j = 0; j < ROWS; ++j) {
                weights[(gy() * ROWS + i) * WEIGHT_STRIDE + gx() + 16 * j] = pairs.weight[i][j];
            }
        }
        __syncthreads();
        add_product(weights, keys, by_weight);
    }
#pragma unroll
    for (int i = 0; i < ROWS; ++i) {
        unsigned query = first_query + gy() * ROWS + i;
        float sum = sum_over_lanes(delta[i], 16);
        if (query >= tokens) {
            continue;
        }
        if (gx() == 0) {
            deltas[head.in_statistics(query)] = sum;
        }
#pragma unroll
        for (int j = 0; j < COLUMNS; ++j) {
            unsigned column = gx() + 16 * j;
            if (column < head.width) {
                dqkv[head.in_qkv(0, query) + column] = scale * (by_gradient[i][j] - sum * by_weight[i][j]);
            }
        }
    }
}

// dV = transpose(m * P) * dy and dK = transpose(dS) * Q.
//
// Grid: head of a sequence by tile of keys.
extern "C" __global__ void __launch_bounds__(THREADS)
attention_key_gradients(const float *qkv, const float *log_sums, const float *dy, float *dqkv, const float *deltas,
                        unsigned tokens, unsigned heads, unsigned head_width, float scale, Rule rule,
                        Dropout dropout) {
    DYNAMIC_SHARED(shared);
    float *queries = (float *)shared;
    float *dy_tile = queries + TILE * STRIDE;
    float *keys = dy_tile + TILE * STRIDE;
    float *values = keys + TILE * STRIDE;
    // Rows keys, columns queries.
    float *weights = values + TILE * STRIDE;

    Head head(tokens, heads, head_width);
    unsigned first_key = blockIdx.y * TILE;
    unsigned key_count = min((unsigned)TILE, tokens - first_key);
    unsigned long long stride = 3 * head.hidden;
    load_tile(keys, qkv + head.in_qkv(1, first_key), stride, key_count, head.width);
    load_tile(values, qkv + head.in_qkv(2, first_key), stride, key_count, head.width);

    float dk[ROWS][COLUMNS], dv[ROWS][COLUMNS];
    for (int i = 0; i < ROWS; ++i) {
        for (int j = 0; j < COLUMNS; ++j) {
            dk[i][j] = 0.0f;
            dv[i][j] = 0.0f;
        }
    }
    for (unsigned first_query = 0; first_query < tokens; first_query += TILE) {
        unsigned query_count = min((unsigned)TILE, tokens - first_query);
        unsigned last_query = first_query + query_count - 1;
        if (first_query >= rule.prefix && key_end(rule, last_query, tokens) <= first_key) {
            continue;
        }
        __syncthreads();
        load_tile(queries, qkv + head.in_qkv(0, first_query), stride, query_count, head.width);
        load_tile(dy_tile, dy + head.in_y(first_query), head.hidden, query_count, head.width);
        __syncthreads();
        Pairs pairs;
        pairs.compute(head, rule, dropout, scale, log_sums, queries, dy_tile, keys, values, first_query, first_key);
#pragma unroll
        for (int i = 0; i < ROWS; ++i) {
#pragma unroll
            for (int j = 0; j < ROWS; ++j) {
                weights[(gx() + 16 * j) * WEIGHT_STRIDE + gy() * ROWS + i] =
                    pairs.weight[i][j] * pairs.multiplier[i][j];
            }
        }
        __syncthreads();
        add_product(weights, dy_tile, dv);
        __syncthreads();
#pragma unroll
        for (int i = 0; i < ROWS; ++i) {
            unsigned query = first_query + gy() * ROWS + i;
            float delta = query < tokens ? deltas[head.in_statistics(query)] : 0.0f;
#pragma unroll
            for (int j = 0; j < ROWS; ++j) {
                weights[(gx() + 16 * j) * WEIGHT_STRIDE + gy() * ROWS + i] =
                    pairs.weight[i][j] * (pairs.gradient[i][j] - delta) * scale;
            }
        }
        __syncthreads();
        add_product(weights, queries, dk);
    }
#pragma unroll
    for (int i = 0; i < ROWS; ++i) {
        unsigned key = first_key + gy() * ROWS + i;
#pragma unroll
        for (int j = 0; j < COLUMNS; ++j) {
            unsigned column = gx() + 16 * j;
            if (key < tokens && column < head.width) {
                dqkv[head.in_qkv(1, key) + column] = dk[i][j];
                dqkv[head.in_qkv(2, key) + column] = dv[i][j];
            }
        }
    }
}
