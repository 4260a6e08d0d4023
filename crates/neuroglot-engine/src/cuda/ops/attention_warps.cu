// How the kernels of the attention by tensor cores share their work.
//
// Each of a block's eight warps owns 16 rows (queries, or keys where their gradients are made), which it holds in
// registers, WIDTH being the head width rounded up and defined in front of this program. The tokens of the other side
// pass through shared memory, TILE at a time; a warp multiplies its rows with 16 of them at once, two results of eight
// columns.

#define ROWS_OF_WARP 16
#define ROWS_OF_BLOCK (ROWS_OF_WARP * THREADS / WARP)

// Results of a tile, by twos.
constexpr int PAIRS = TILE / 16;
// Eighths of the head's width.
constexpr int STEPS = WIDTH / 8;

// Place of this thread in its warp's matrices: see `tensor_core.cu`.
__device__ inline unsigned lane_group() { return threadIdx.x % WARP / 4; }
__device__ inline unsigned lane_in_group() { return threadIdx.x % 4; }

// Row and column of number i of a result.
__device__ inline unsigned result_row(int i) { return lane_group() + i / 2 * 8; }
__device__ inline unsigned result_column(int i) { return 2 * lane_in_group() + i % 2; }

// First row of this warp in its block.
__device__ inline unsigned first_row_of_warp() { return threadIdx.x / WARP * ROWS_OF_WARP; }

__device__ inline void clear(float (&sums)[STEPS][4]) {
#pragma unroll
    for (int step = 0; step < STEPS; ++step) {
        sums[step][0] = sums[step][1] = sums[step][2] = sums[step][3] = 0.0f;
    }
}

// Dropout multipliers of the warp's queries with a tile of keys. Keys 16 apart share bits: they follow one another.
__device__ inline void multipliers_of_tile(float (&multipliers)[PAIRS][2][4], const Dropout &dropout, const Head &head,
                                           unsigned first_query, unsigned first_key) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            DropoutReader reader(dropout);
#pragma unroll
            for (int pair = 0; pair < PAIRS; ++pair) {
                unsigned key = first_key + 16 * pair + 8 * half + result_column(i);
                multipliers[pair][half][i] = reader.multiplier(head.element(first_query + result_row(i), key));
            }
        }
    }
}
