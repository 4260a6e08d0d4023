// Some rows of a matrix. Row numbers are floats; one that is not below `rows` selects nothing.

// y_i = x_{index i}, or zeros. Grid: one thread per element of y.
extern "C" __global__ void select_rows(const float *x, const float *indices, float *y, unsigned long long length,
                                       unsigned rows, unsigned width) {
    unsigned long long i = thread_number();
    if (i < length) {
        float index = indices[i / width];
        bool inside = index >= 0.0f && index < (float)rows;
        y[i] = inside ? x[(unsigned long long)index * width + i % width] : 0.0f;
    }
}

// dx_{index i} = dy_i; all other rows of dx hold zeros already. Grid: one thread per element of dy.
extern "C" __global__ void select_rows_backward(const float *dy, const float *indices, float *dx,
                                                unsigned long long length, unsigned rows, unsigned width) {
    unsigned long long i = thread_number();
    if (i < length) {
        float index = indices[i / width];
        if (index >= 0.0f && index < (float)rows) {
            dx[(unsigned long long)index * width + i % width] = dy[i];
        }
    }
}
