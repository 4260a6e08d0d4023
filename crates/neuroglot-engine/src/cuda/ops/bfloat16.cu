// bf16 copies of the operands of a product, rounded to nearest even. The cast is written out so that no header of the
// toolkit is needed. Rows of the copy are `stride` elements apart, which keeps them aligned. Grid: one thread per
// element.
extern "C" __global__ void to_bfloat16(const float *from, unsigned short *to, unsigned long long length,
                                       unsigned width, unsigned stride) {
    unsigned long long i = thread_number();
    if (i < length) {
        unsigned bits = __float_as_uint(from[i]);
        bool is_nan = (bits & 0x7fffffffu) > 0x7f800000u;
        unsigned rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
        to[i / width * stride + i % width] = (unsigned short)(is_nan ? 0x7fffu : rounded);
    }
}
