// What every kind of attention reads: tiles of tokens, brought into shared memory as rows of STRIDE elements.

// Copies `count` rows, `stride` floats apart, into a tile and fills up with zeros.
__device__ inline void load_tile(Element *tile, const float *rows, unsigned long long stride, unsigned count,
                                 unsigned width) {
    for (unsigned i = threadIdx.x; i < TILE * WIDTH; i += THREADS) {
        unsigned row = i / WIDTH, column = i % WIDTH;
        bool inside = row < count && column < width;
        tile[row * STRIDE + column] = to_element(inside ? rows[row * stride + column] : 0.0f);
    }
}

// The dropout of y, whose elements are counted from `first` on.
struct ResultDropout {
    Dropout dropout;
    unsigned long long first;
};

// What the gradient of an attention is made of.
struct Gradients {
    const float *qkv, *log_sums, *dy;
    Numbers y, dqkv;
    float scale;
    Rule rule;
    Dropout dropout;
    ResultDropout of_y;

    // Loads `count` queries' dy, dropped as y was, and of each query its log-sum and delta, the sum over keys of P * m * dP,
    // which is the sum of y * dy before that is dropped.
    __device__ void load_dy(Element *tile, float *deltas, float *log_sums_of_tile, const Head &head, unsigned first,
                            unsigned count) const {
        for (unsigned i = threadIdx.x; i < TILE * 16; i += THREADS) {
            unsigned row = i / 16;
            float delta = 0.0f;
            // Columns 16 apart share bits.
            DropoutReader reader(of_y.dropout);
            for (unsigned column = i % 16; column < WIDTH; column += 16) {
                float value = 0.0f;
                if (row < count && column < head.width) {
                    unsigned long long place = head.in_y(first + row) + column;
                    delta = fmaf(head.of_y(y, first + row, column), dy[place], delta);
                    value = dy[place] * reader.multiplier(of_y.first + place);
                }
                tile[row * STRIDE + column] = to_element(value);
            }
            delta = sum_over_lanes(delta, 16);
            if (i % 16 == 0) {
                deltas[row] = delta;
                log_sums_of_tile[row] = row < count ? log_sums[head.in_statistics(first + row)] : 0.0f;
            }
        }
    }
};
