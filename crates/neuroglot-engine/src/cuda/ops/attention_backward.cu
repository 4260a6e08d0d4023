// The gradient of the attention, weights recomputed from scores and log-sums. A block makes that of a tile of queries, then
// that of the keys and values of the same tokens: each sum has one block that owns it.

// m * P and dS = P * (m * dP - delta) / sqrt(d) of one tile of pairs, rows queries, columns keys.
struct Pairs {
    float weight[ROWS][ROWS];
    float gradient[ROWS][ROWS];

    // deltas and log_sums are those of the tile's queries.
    __device__ void compute(const Gradients &of, const Head &head, const float *queries, const float *dy,
                            const float *deltas, const float *log_sums, const float *keys, const float *values,
                            unsigned first_query, unsigned first_key) {
        dot_rows(queries, keys, weight);
        dot_rows(dy, values, gradient);
#pragma unroll
        for (int i = 0; i < ROWS; ++i) {
            unsigned row = gy() * ROWS + i, query = first_query + row;
            DropoutReader reader(of.dropout);
#pragma unroll
            for (int j = 0; j < ROWS; ++j) {
                unsigned key = first_key + gx() + 16 * j;
                bool allowed = allows(of.rule, query, key, head.tokens);
                float p = allowed ? expf(weight[i][j] * of.scale - log_sums[row]) : 0.0f;
                float m = reader.multiplier(head.element(query, key));
                gradient[i][j] = p * (m * gradient[i][j] - deltas[row]) * of.scale;
                weight[i][j] = m * p;
            }
        }
    }
};

// Tiles in shared memory, and of the queries among them their deltas and log-sums.
struct Tiles {
    float *queries, *dy, *keys, *values, *weights, *deltas, *log_sums;
};

// dQ = dS * K.
__device__ inline void query_gradients(const Gradients &of, const Head &head, const Tiles &tiles) {
    unsigned tokens = head.tokens, first_query = blockIdx.y * TILE;
    unsigned query_count = min((unsigned)TILE, tokens - first_query);
    unsigned long long stride = 3 * head.hidden;
    load_tile(tiles.queries, of.qkv + head.in_qkv(0, first_query), stride, query_count, head.width);
    of.load_dy(tiles.dy, tiles.deltas, tiles.log_sums, head, first_query, query_count);

    float dq[ROWS][COLUMNS];
    for (int i = 0; i < ROWS; ++i) {
        for (int j = 0; j < COLUMNS; ++j) {
            dq[i][j] = 0.0f;
        }
    }
    unsigned last_query = first_query + query_count - 1;
    unsigned end = first_query < of.rule.prefix ? tokens : key_end(of.rule, last_query, tokens);
    for (unsigned first_key = 0; first_key < end; first_key += TILE) {
        unsigned key_count = min((unsigned)TILE, tokens - first_key);
        __syncthreads();
        load_tile(tiles.keys, of.qkv + head.in_qkv(1, first_key), stride, key_count, head.width);
        load_tile(tiles.values, of.qkv + head.in_qkv(2, first_key), stride, key_count, head.width);
        __syncthreads();
        Pairs pairs;
        pairs.compute(of, head, tiles.queries, tiles.dy, tiles.deltas, tiles.log_sums, tiles.keys, tiles.values,
                      first_query, first_key);
#pragma unroll
        for (int i = 0; i < ROWS; ++i) {
#pragma unroll
            for (int j = 0; j < ROWS; ++j) {
                tiles.weights[(gy() * ROWS + i) * WEIGHT_STRIDE + gx() + 16 * j] = pairs.gradient[i][j];
            }
        }
        __syncthreads();
        add_product(tiles.weights, tiles.keys, dq);
    }
#pragma unroll
    for (int i = 0; i < ROWS; ++i) {
        unsigned query = first_query + gy() * ROWS + i;
#pragma unroll
        for (int j = 0; j < COLUMNS; ++j) {
            unsigned column = gx() + 16 * j;
            if (query < tokens && column < head.width) {
                head.set_part(of.dqkv, 0, query, column, dq[i][j]);
            }
        }
    }
}

// dV = transpose(m * P) * dy and dK = transpose(dS) * Q. Weights have keys as rows here, queries as columns.
__device__ inline void key_gradients(const Gradients &of, const Head &head, const Tiles &tiles) {
    unsigned tokens = head.tokens, first_key = blockIdx.y * TILE;
    unsigned key_count = min((unsigned)TILE, tokens - first_key);
    unsigned long long stride = 3 * head.hidden;
    load_tile(tiles.keys, of.qkv + head.in_qkv(1, first_key), stride, key_count, head.width);
    load_tile(tiles.values, of.qkv + head.in_qkv(2, first_key), stride, key_count, head.width);

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
        if (first_query >= of.rule.prefix && key_end(of.rule, last_query, tokens) <= first_key) {
            continue;
        }
        __syncthreads();
        load_tile(tiles.queries, of.qkv + head.in_qkv(0, first_query), stride, query_count, head.width);
        of.load_dy(tiles.dy, tiles.deltas, tiles.log_sums, head, first_query, query_count);
        __syncthreads();
        Pairs pairs;
        pairs.compute(of, head, tiles.queries, tiles.dy, tiles.deltas, tiles.log_sums, tiles.keys, tiles.values,
                      first_query, first_key);
#pragma unroll
        for (int i = 0; i < ROWS; ++i) {
#pragma unroll
            for (int j = 0; j < ROWS; ++j) {
                tiles.weights[(gx() + 16 * j) * WEIGHT_STRIDE + gy() * ROWS + i] = pairs.weight[i][j];
            }
        }
        __syncthreads();
        add_product(tiles.weights, tiles.dy, dv);
        __syncthreads();
#pragma unroll
        for (int i = 0; i < ROWS; ++i) {
#pragma unroll
            for (int j = 0; j < ROWS; ++j) {
                tiles.weights[(gx() + 16 * j) * WEIGHT_STRIDE + gy() * ROWS + i] = pairs.gradient[i][j];
            }
        }
        __syncthreads();
        add_product(tiles.weights, tiles.queries, dk);
    }
#pragma unroll
    for (int i = 0; i < ROWS; ++i) {
        unsigned key = first_key + gy() * ROWS + i;
#pragma unroll
        for (int j = 0; j < COLUMNS; ++j) {
            unsigned column = gx() + 16 * j;
            if (key < tokens && column < head.width) {
                head.set_part(of.dqkv, 1, key, column, dk[i][j]);
                head.set_part(of.dqkv, 2, key, column, dv[i][j]);
            }
        }
    }
}

// Grid: head of a sequence by tile of tokens, first as queries, then as keys.
extern "C" __global__ void __launch_bounds__(THREADS)
attention_gradients(const float *qkv, Numbers y, const float *log_sums, const float *dy, Numbers dqkv,
                    unsigned tokens, unsigned heads, unsigned head_width, float scale, Rule rule, Dropout dropout,
                    Dropout dropout_of_y, unsigned long long first_of_y) {
    DYNAMIC_SHARED(shared);
    __shared__ float deltas[TILE], log_sums_of_tile[TILE];
    float *tile = (float *)shared;
    const int size = TILE * STRIDE;
    Tiles tiles{tile, tile + size, tile + 2 * size, tile + 3 * size, tile + 4 * size, deltas, log_sums_of_tile};
    Head head(tokens, heads, head_width);
    Gradients of{qkv, log_sums, dy, y, dqkv, scale, rule, dropout, {dropout_of_y, first_of_y}};
    query_gradients(of, head, tiles);
    // The keys' tiles replace those of the queries.
    __syncthreads();
    key_gradients(of, head, tiles);
}
