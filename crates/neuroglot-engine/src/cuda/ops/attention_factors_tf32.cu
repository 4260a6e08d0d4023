// Factors of the attention by tensor cores in TF32: eight columns at a time.

typedef float Element;
// From a row of a tile to the next: four more than needed spread the rows over the banks.
constexpr int STRIDE = WIDTH + 4;

__device__ inline Element to_element(float value) { return to_tf32(value); }

// A warp's rows.
struct Rows {
    float factors[STEPS][4];

    // Takes value(half, column) of row 8 * half + lane_group(); columns 16 apart follow one another.
    template <typename Value> __device__ void load(Value value) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
#pragma unroll
            for (int parity = 0; parity < 2; ++parity) {
#pragma unroll
                for (int step = parity; step < STEPS; step += 2) {
                    factors[step][i] = to_tf32(value(i % 2, 8 * step + lane_in_group() + i / 2 * 4));
                }
            }
        }
    }
};

// dots = rows * transpose(16 rows of the tile).
__device__ inline void dot_rows(float (&dots)[2][4], const Rows &rows, const Element *tile, int pair) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        dots[half][0] = dots[half][1] = dots[half][2] = dots[half][3] = 0.0f;
        const Element *row = &tile[(16 * pair + 8 * half + lane_group()) * STRIDE + lane_in_group()];
#pragma unroll
        for (int step = 0; step < STEPS; ++step) {
            float b[2] = {row[8 * step], row[8 * step + 4]};
            multiply_add(dots[half], rows.factors[step], b);
        }
    }
}

// sums += weights * 16 rows of the tile. The weights are results: as a factor, columns 2t and 2t + 1 stand where t and t + 4
// should, so the tile's rows change places in the same way.
__device__ inline void add_product(float (&sums)[STEPS][4], const float (&weights)[2][4], const Element *tile, int pair) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const float(&w)[4] = weights[half];
        float a[4] = {to_tf32(w[0]), to_tf32(w[2]), to_tf32(w[1]), to_tf32(w[3])};
        const Element *row = &tile[(16 * pair + 8 * half + 2 * lane_in_group()) * STRIDE + lane_group()];
#pragma unroll
        for (int step = 0; step < STEPS; ++step) {
            float b[2] = {row[8 * step], row[STRIDE + 8 * step]};
            multiply_add(sums[step], a, b);
        }
    }
}
