// Products of small matrices by a warp's tensor core, factors rounded to TF32 or to bf16, sums in f32.
//
// C is 16 x 8. In TF32 A is 16 x 8 and B 8 x 8, in bf16 A is 16 x 16 and B 16 x 8, two numbers to a register, that of the
// lower column of A or row of B in its lower half. The thread in group g = lane / 4 with number t = lane % 4 of its group
// holds
//     a, TF32: rows g, g + 8, g, g + 8 of columns t, t, t + 4, t + 4
//     b, TF32: rows t, t + 4 of column g
//     a, bf16: rows g, g + 8, g, g + 8 of columns 2t and 2t + 1, the same, 2t + 8 and 2t + 9, the same
//     b, bf16: rows 2t and 2t + 1, 2t + 8 and 2t + 9 of column g
//     c: columns 2t, 2t + 1 of row g, then of row g + 8.

// A build that is not for a device brings its own.
#ifndef TENSOR_CORE_ON_HOST

// Rounds to TF32, to nearest: a tensor core would cut the bits off.
__device__ inline float to_tf32(float value) {
    unsigned bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
    return __uint_as_float(bits);
}

// Both rounded to bf16, to nearest even.
__device__ inline unsigned pack_bfloat16(float low, float high) {
    unsigned bits;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
    return bits;
}

// c += a * b, by all threads of a warp.
__device__ inline void multiply_add(float (&c)[4], const float (&a)[4], const float (&b)[2]) {
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(__float_as_uint(a[0])), "r"(__float_as_uint(a[1])), "r"(__float_as_uint(a[2])),
          "r"(__float_as_uint(a[3])), "r"(__float_as_uint(b[0])), "r"(__float_as_uint(b[1])));
}

__device__ inline void multiply_add(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Four matrices of 8 x 8 bf16 from shared memory, transposed: thread 8 * i + j of a warp names row j of matrix i, 16 bytes
// that begin on 16; each receives, of every matrix, rows 2t and 2t + 1 of column g.
__device__ inline void load_transposed(unsigned (&matrices)[4], const unsigned short *row) {
    unsigned address = (unsigned)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(matrices[0]), "=r"(matrices[1]), "=r"(matrices[2]), "=r"(matrices[3])
                 : "r"(address)
                 : "memory");
}

#endif
