// bf16 copies of the factors of a product, dropped on the way where there is a dropout. Rows of the copy are `stride` elements
// apart, which keeps them aligned. Grid: one warp per row.
extern "C" __global__ void to_bfloat16(const float *from, unsigned short *to, unsigned rows, unsigned width,
                                       unsigned stride, Dropout dropout) {
    unsigned row = row_of_warp(), lane = threadIdx.x % WARP;
    if (row >= rows) {
        return;
    }
    unsigned long long first = (unsigned long long)row * width;
    to += (unsigned long long)row * stride;
    // Eight elements of a thread, 16 apart, share their random bits; those of its neighbours lie between.
    for (unsigned group = lane / 16 * 128 + lane % 16; group < width; group += 256) {
        DropoutReader reader(dropout);
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            unsigned column = group + 16 * i;
            if (column < width) {
                to[column] = to_bfloat16_bits(from[first + column] * reader.multiplier(first + column));
            }
        }
    }
}
