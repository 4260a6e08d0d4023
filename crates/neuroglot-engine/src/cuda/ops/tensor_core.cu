// Products of small matrices by a warp's tensor core, factors rounded to TF32.
//
// A is 16 x 8, B 8 x 8, C 16 x 8. The thread in group g = lane / 4 with number t = lane % 4 of its group holds
//     a: rows g, g + 8, g, g + 8 of columns t, t, t + 4, t + 4
//     b: rows t, t + 4 of column g
//     c: columns 2t, 2t + 1 of row g, then of row g + 8.

// A build that is not for a device brings its own.
#ifndef TENSOR_CORE_ON_HOST

// Rounds to TF32, to nearest: a tensor core would cut the bits off.
__device__ inline float to_tf32(float value) {
    unsigned bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
    return __uint_as_float(bits);
}

// c += a * b, by all threads of a warp.
__device__ inline void multiply_add(float (&c)[4], const float (&a)[4], const float (&b)[2]) {
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(__float_as_uint(a[0])), "r"(__float_as_uint(a[1])), "r"(__float_as_uint(a[2])),
          "r"(__float_as_uint(a[3])), "r"(__float_as_uint(b[0])), "r"(__float_as_uint(b[1])));
}

#endif
