// Factors of the attention by tensor cores in bf16: 16 columns at a time, and tiles half as large.

typedef unsigned short Element;
// From a row of a tile to the next: eight more than needed spread the rows over the banks and keep them on 16 bytes.
constexpr int STRIDE = WIDTH + 8;

__device__ inline Element to_element(float value) { return (Element)pack_bfloat16(value, 0.0f); }

// A warp's rows.
struct Rows {
    unsigned factors[STEPS / 2][4];

    // Takes value(half, column) of row 8 * half + lane_group(); columns 16 apart follow one another.
    template <typename Value> __device__ void load(Value value) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            float low[STEPS / 2];
            unsigned column = 2 * lane_in_group() + i / 2 * 8;
#pragma unroll
            for (int step = 0; step < STEPS / 2; ++step) {
                low[step] = value(i % 2, 16 * step + column);
            }
#pragma unroll
            for (int step = 0; step < STEPS / 2; ++step) {
                factors[step][i] = pack_bfloat16(low[step], value(i % 2, 16 * step + column + 1));
            }
        }
    }
};

// dots = rows * transpose(16 rows of the tile).
__device__ inline void dot_rows(float (&dots)[2][4], const Rows &rows, const Element *tile, int pair) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        dots[half][0] = dots[half][1] = dots[half][2] = dots[half][3] = 0.0f;
        const Element *row = &tile[(16 * pair + 8 * half + lane_group()) * STRIDE + 2 * lane_in_group()];
#pragma unroll
        for (int step = 0; step < STEPS / 2; ++step) {
            unsigned b[2] = {*(const unsigned *)&row[16 * step], *(const unsigned *)&row[16 * step + 8]};
            multiply_add(dots[half], rows.factors[step], b);
        }
    }
}

// sums += weights * 16 rows of the tile. Two results side by side lie as a factor does.
__device__ inline void add_product(float (&sums)[STEPS][4], const float (&weights)[2][4], const Element *tile, int pair) {
    const float(&left)[4] = weights[0], (&right)[4] = weights[1];
    unsigned a[4] = {pack_bfloat16(left[0], left[1]), pack_bfloat16(left[2], left[3]),
                     pack_bfloat16(right[0], right[1]), pack_bfloat16(right[2], right[3])};
    unsigned lane = threadIdx.x % WARP;
    const Element *row = &tile[(16 * pair + lane % 16) * STRIDE + lane / 16 * 8];
#pragma unroll
    for (int step = 0; step < STEPS; step += 2) {
        unsigned matrices[4];
        load_transposed(matrices, &row[8 * step]);
        unsigned b[2][2] = {{matrices[0], matrices[1]}, {matrices[2], matrices[3]}};
        multiply_add(sums[step], a, b[0]);
        multiply_add(sums[step + 1], a, b[1]);
    }
}
