// D = A * B + C + bias where D has one row or column or the sums one term: libraries of products are not made for
// these, and refuse some. One sum per thread, in the order of its terms.

struct Factor {
    const void *values;
    unsigned row_stride;
    unsigned column_stride;
    unsigned is_bfloat16;
    unsigned padding;

    __device__ float at(unsigned row, unsigned column) const {
        unsigned long long place =
            (unsigned long long)row * row_stride + (unsigned long long)column * column_stride;
        if (is_bfloat16) {
            return __uint_as_float((unsigned)((const unsigned short *)values)[place] << 16);
        }
        return ((const float *)values)[place];
    }
};

// A null addend or bias adds nothing. Grid: one thread per element of D [rows, columns].
extern "C" __global__ void thin_product(Factor a, Factor b, float *to, const float *addend, const float *bias,
                                        unsigned rows, unsigned columns, unsigned inner) {
    unsigned long long place = thread_number();
    unsigned row = (unsigned)(place / columns), column = (unsigned)(place % columns);
    if (row >= rows) {
        return;
    }
    float sum = 0.0f;
    for (unsigned i = 0; i < inner; ++i) {
        sum = fmaf(a.at(row, i), b.at(i, column), sum);
    }
    if (addend) {
        sum += addend[place];
    }
    if (bias) {
        sum += bias[column];
    }
    to[place] = sum;
}
