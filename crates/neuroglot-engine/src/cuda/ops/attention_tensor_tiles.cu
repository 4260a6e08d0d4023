// What the kernels of the attention by tensor cores share.
//
// Each of a block's eight warps owns 16 rows (queries, or keys in the kernel of their gradients), which it holds in
// registers, WIDTH being the head width rounded up and defined in front of this program. The tokens of the other side
// pass through shared memory, TILE at a time; a warp multiplies its rows with eight of them at once.

#define ROWS_OF_WARP 16
#define ROWS_OF_BLOCK (ROWS_OF_WARP * THREADS / WARP)

// Eighths of a tile, and of the head's width.
constexpr int GROUPS = TILE / 8;
constexpr int STEPS = WIDTH / 8;
// Floats from a row of a tile to the next: four more than needed spread the rows over the banks.
constexpr int STRIDE = WIDTH + 4;

// Place of this thread in its warp's matrices: see `tensor_core.cu`.
__device__ inline unsigned lane_group() { return threadIdx.x % WARP / 4; }
__device__ inline unsigned lane_in_group() { return threadIdx.x % 4; }

// Row and column of number i of a result.
__device__ inline unsigned result_row(int i) { return lane_group() + i / 2 * 8; }
__device__ inline unsigned result_column(int i) { return 2 * lane_in_group() + i % 2; }

// First row of this warp in its block.
__device__ inline unsigned first_row_of_warp() { return threadIdx.x / WARP * ROWS_OF_WARP; }

// Takes the warp's rows, of which `count` are there, and fills up with zeros.
__device__ inline void load_rows(float (&rows)[STEPS][4], const float *first, unsigned long long stride, unsigned count,
                                 unsigned width) {
#pragma unroll
    for (int step = 0; step < STEPS; ++step) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            unsigned row = lane_group() + i % 2 * 8, column = 8 * step + lane_in_group() + i / 2 * 4;
            rows[step][i] = row < count && column < width ? to_tf32(first[row * stride + column]) : 0.0f;
        }
    }
}

// Copies `count` rows, `stride` floats apart, into a tile and fills up with zeros.
__device__ inline void load_tile(float *tile, const float *rows, unsigned long long stride, unsigned count,
                                 unsigned width) {
    for (unsigned i = threadIdx.x; i < TILE * WIDTH; i += THREADS) {
        unsigned row = i / WIDTH, column = i % WIDTH;
        bool inside = row < count && column < width;
        tile[row * STRIDE + column] = inside ? to_tf32(rows[row * stride + column]) : 0.0f;
    }
}

// dots = rows * transpose(eight rows of the tile).
__device__ inline void dot_rows(float (&dots)[4], const float (&rows)[STEPS][4], const float *tile, int group) {
    dots[0] = dots[1] = dots[2] = dots[3] = 0.0f;
    const float *row = &tile[(8 * group + lane_group()) * STRIDE + lane_in_group()];
#pragma unroll
    for (int step = 0; step < STEPS; ++step) {
        float b[2] = {row[8 * step], row[8 * step + 4]};
        multiply_add(dots, rows[step], b);
    }
}

// sums += weights * eight rows of the tile. The weights are a result: as a factor, columns 2t and 2t + 1 stand where t
// and t + 4 should, so the tile's rows change places in the same way.
__device__ inline void add_product(float (&sums)[STEPS][4], const float (&weights)[4], const float *tile, int group) {
    float a[4] = {to_tf32(weights[0]), to_tf32(weights[2]), to_tf32(weights[1]), to_tf32(weights[3])};
    const float *row = &tile[(8 * group + 2 * lane_in_group()) * STRIDE + lane_group()];
#pragma unroll
    for (int step = 0; step < STEPS; ++step) {
        float b[2] = {row[8 * step], row[STRIDE + 8 * step]};
        multiply_add(sums[step], a, b);
    }
}

__device__ inline void clear(float (&sums)[STEPS][4]) {
#pragma unroll
    for (int step = 0; step < STEPS; ++step) {
        sums[step][0] = sums[step][1] = sums[step][2] = sums[step][3] = 0.0f;
    }
}

// Dropout multipliers of the warp's queries with a tile of keys. Keys 16 apart share bits: they follow one another.
__device__ inline void multipliers_of_tile(float (&multipliers)[GROUPS][4], const Dropout &dropout, const Head &head,
                                           unsigned first_query, unsigned first_key) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
#pragma unroll
        for (int parity = 0; parity < 2; ++parity) {
            DropoutReader reader(dropout);
#pragma unroll
            for (int group = parity; group < GROUPS; group += 2) {
                unsigned key = first_key + 8 * group + result_column(i);
                multipliers[group][i] = reader.multiplier(head.element(first_query + result_row(i), key));
            }
        }
    }
}
