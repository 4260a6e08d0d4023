// Parameters that have been updated equally often: `rate` is divided by 1 - beta1^t and `root` is 1 / sqrt(1 - beta2^t)
// already.
struct Part {
    unsigned long long offset, length;
    float rate, root;
};

// One AdamW step of several parts. `keep` = 1 - rate * decay. Grid: one thread per parameter, the parts one behind the
// other.
extern "C" __global__ void adamw(float *values, const float *gradients, float *first_moments, float *second_moments,
                                 float keep, float beta1, float rest1, float beta2, float rest2, float epsilon,
                                 Part a, Part b, Part c, Part d) {
    unsigned long long i = thread_number();
    Part parts[4] = {a, b, c, d};
    for (const Part &part : parts) {
        if (i < part.length) {
            unsigned long long place = part.offset + i;
            float g = gradients[place];
            float m = beta1 * first_moments[place] + rest1 * g;
            float v = beta2 * second_moments[place] + rest2 * g * g;
            first_moments[place] = m;
            second_moments[place] = v;
            values[place] = values[place] * keep - part.rate * m / (sqrtf(v) * part.root + epsilon);
            return;
        }
        i -= part.length;
    }
}
