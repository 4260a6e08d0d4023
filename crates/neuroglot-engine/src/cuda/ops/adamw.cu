// One AdamW step. `keep` = 1 - rate * decay; `rate` is divided by 1 - beta1^t and `root` is 1 / sqrt(1 - beta2^t)
// already. Grid: one thread per parameter.
extern "C" __global__ void adamw(float *values, const float *gradients, float *first_moments, float *second_moments,
                                 unsigned long long length, float keep, float rate, float beta1, float rest1,
                                 float beta2, float rest2, float root, float epsilon) {
    unsigned long long i = thread_number();
    if (i < length) {
        float g = gradients[i];
        float m = beta1 * first_moments[i] + rest1 * g;
        float v = beta2 * second_moments[i] + rest2 * g * g;
        first_moments[i] = m;
        second_moments[i] = v;
        values[i] = values[i] * keep - rate * m / (sqrtf(v) * root + epsilon);
    }
}
