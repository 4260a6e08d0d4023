// Rotates queries and keys by their position, in place: pairs (z_i, z_{i + d/2}) of each head by the angle whose cos
// and sin stand in table [tokens, d / 2, 2]. `sign` -1 rotates back. Grid: one thread per pair.
extern "C" __global__ void rope(const float *table, float *qkv, unsigned rows, unsigned tokens, unsigned heads,
                                unsigned head_width, float sign) {
    unsigned half = head_width / 2;
    unsigned pairs_per_row = 2 * heads * half;
    unsigned long long number = thread_number();
    unsigned row = (unsigned)(number / pairs_per_row);
    if (row >= rows) {
        return;
    }
    unsigned pair = (unsigned)(number % pairs_per_row);
    // Queries and keys lie side by side: their heads are counted through.
    unsigned head = pair / half, i = pair % half;
    float *z = qkv + (unsigned long long)row * 3 * heads * head_width + head * head_width + i;
    const float *angle = table + (unsigned long long)(row % tokens) * head_width + 2 * i;
    float cosine = angle[0], sine = angle[1] * sign;
    float a = z[0], b = z[half];
    z[0] = a * cosine - b * sine;
    z[half] = b * cosine + a * sine;
}
