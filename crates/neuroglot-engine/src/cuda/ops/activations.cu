// Elementwise functions and their gradients. Grid: one thread per element, of a GELU one warp per row.

// The standard normal distribution function. erfc keeps the relative precision of the lower tail.
__device__ inline float normal_cdf(float x) {
    return 0.5f * erfcf(-0.70710678f * x);
}

// activated = z * Phi(z); activated may be z.
extern "C" __global__ void gelu(const float *z, Numbers activated, unsigned rows) {
    unsigned row = row_of_warp(), width = activated.width;
    if (row >= rows) {
        return;
    }
    z += (unsigned long long)row * width;
    for (unsigned column = threadIdx.x % WARP; column < width; column += WARP) {
        activated.set(row, column, z[column] * normal_cdf(z[column]));
    }
}

// to = gradient * (Phi(z) + z * phi(z)), phi the standard normal density; to may be the gradient.
extern "C" __global__ void gelu_backward(const float *z, const float *gradient, Numbers to, unsigned rows) {
    unsigned row = row_of_warp(), width = to.width;
    if (row >= rows) {
        return;
    }
    z += (unsigned long long)row * width;
    gradient += (unsigned long long)row * width;
    for (unsigned column = threadIdx.x % WARP; column < width; column += WARP) {
        float x = z[column];
        float density = 0.39894228f * expf(-0.5f * x * x);
        to.set(row, column, gradient[column] * fmaf(x, density, normal_cdf(x)));
    }
}

// x = x / (1 + |x|).
extern "C" __global__ void softsign(float *x, unsigned long long length) {
    unsigned long long i = thread_number();
    if (i < length) {
        x[i] = x[i] / (1.0f + fabsf(x[i]));
    }
}

// gradient *= (1 - |y|)^2, y the result of softsign.
extern "C" __global__ void softsign_backward(const float *y, float *gradient, unsigned long long length) {
    unsigned long long i = thread_number();
    if (i < length) {
        float slope = 1.0f - fabsf(y[i]);
        gradient[i] *= slope * slope;
    }
}
