//! The innermost loop of a product: one tile of the result, held in registers.

/// A vector register of floats.
///
/// # Safety
/// The methods may be called only where the processor has the instructions of the type.
trait Lanes: Copy {
    /// Floats per register.
    const WIDTH: usize;
    unsafe fn zero() -> Self;
    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn add(self, other: Self) -> Self;
    /// `self + a · b`.
    unsafe fn add_product(self, a: Self, b: Self) -> Self;
    /// Asks for a cache line that is needed soon.
    #[inline(always)]
    unsafe fn prefetch(_from: *const f32) {}
}

/// Floats of the inner dimension worked on before the tile is stored: a panel of b then stays in the first-level
/// cache while it meets all tiles of a block of rows.
pub(super) const DEPTH: usize = 256;

/// Floats from row to row of a panel of a that is kept by rows; no power of two, so that the rows of a tile do not
/// compete for the same places of the cache.
pub(super) const ROW_STRIDE: usize = DEPTH + 16;

/// How a panel of a lies in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PanelOrder {
    /// `[row, inner]`, [`ROW_STRIDE`] floats from row to row.
    Rows,
    /// `[inner, row]` without gaps.
    Inner,
}

/// How the rows of a that a tile reads lie in memory; the number of a tile among those of one width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout(usize);

impl PanelOrder {
    /// How a panel in this order lies in memory.
    pub(super) fn layout(self) -> Layout {
        match self {
            PanelOrder::Rows => Layout(0),
            PanelOrder::Inner => Layout(1),
        }
    }
}

/// Floats from row to row of the matrices that are read where they are: a tile of its own for each, since addresses that
/// are only known at run time do not fit the registers. They are the widths of small models; of wide ones the rows of a
/// tile would compete for the same places of the cache.
const IN_PLACE: [usize; 4] = [64, 128, 256, 384];

/// c (+)= a · b for one tile: `inner`, a, b, c, floats from row to row of c, whether to add.
pub(super) type Tile = unsafe fn(usize, *const f32, *const f32, *mut f32, usize, bool);

/// The tiles of one instruction set.
#[derive(Debug)]
pub(super) struct Tiles {
    /// Rows of a tile.
    pub rows: usize,
    /// Columns of a wide tile; a narrow one has half as many.
    pub columns: usize,
    wide: [Tile; 2 + IN_PLACE.len()],
    narrow: [Tile; 2 + IN_PLACE.len()],
}

impl Tiles {
    /// The tile of a panel of b with `columns` columns.
    pub(super) fn of(&self, columns: usize, layout: Layout) -> Tile {
        let tiles = if columns == self.columns { &self.wide } else { &self.narrow };
        tiles[layout.0]
    }

    /// How to read rows of a, `stride` floats apart, where they are; `None` where they must be copied.
    pub(super) fn in_place(&self, order: PanelOrder, stride: usize) -> Option<Layout> {
        let place = IN_PLACE.iter().position(|known| *known == stride);
        place.filter(|_| order == PanelOrder::Rows).map(|place| Layout(2 + place))
    }

    /// The tiles of the widest instructions that this processor has.
    pub(super) fn best() -> &'static Tiles {
        #[cfg(target_arch = "x86_64")]
        {
            use std::sync::OnceLock;
            static BEST: OnceLock<&Tiles> = OnceLock::new();
            BEST.get_or_init(|| Tiles::all().last().expect("the plain tiles run everywhere"))
        }
        #[cfg(target_arch = "aarch64")]
        {
            &neon::TILES
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        {
            &plain::TILES
        }
    }

    /// All tiles that this processor can run, narrowest instructions first.
    #[cfg(any(test, target_arch = "x86_64"))]
    pub(super) fn all() -> Vec<&'static Tiles> {
        #[allow(unused_mut)]
        let mut all = vec![&plain::TILES];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                all.push(&avx2::TILES);
            }
            #[cfg(feature = "avx512")]
            if is_x86_feature_detected!("avx512f") {
                all.push(&avx512::TILES);
            }
        }
        #[cfg(target_arch = "aarch64")]
        all.push(&neon::TILES);
        all
    }
}

/// One tile of `ROWS` rows and `VECTORS` registers of columns. Float (row r, inner i) of a is at `r · STRIDE + i · STEP`.
///
/// # Safety
/// The processor has the instructions of `L`; `a` holds `ROWS` rows of `inner` floats, `b` is
/// `[inner, VECTORS · WIDTH]`, and `c` may be written to (and read, to add) at all rows and columns of the tile.
#[inline(always)]
unsafe fn tile<L: Lanes, const ROWS: usize, const VECTORS: usize, const STRIDE: usize, const STEP: usize>(
    inner: usize,
    a: *const f32,
    b: *const f32,
    c: *mut f32,
    stride: usize,
    add: bool,
) {
    // SAFETY: all offsets lie inside the tile by the caller's promise; prefetching never faults.
    unsafe {
        if add {
            for row in 0..ROWS {
                L::prefetch(c.add(row * stride));
                L::prefetch(c.add(row * stride + VECTORS * L::WIDTH - 1));
            }
        }
        let mut sums = [[L::zero(); VECTORS]; ROWS];
        // A closure would be compiled without the instructions of the function that this one is inlined into.
        macro_rules! step {
            ($at:expr) => {
                let at = $at;
                let mut columns = [L::zero(); VECTORS];
                for vector in 0..VECTORS {
                    columns[vector] = L::load(b.add((at * VECTORS + vector) * L::WIDTH));
                }
                for row in 0..ROWS {
                    let value = L::splat(*a.add(row * STRIDE + at * STEP));
                    for vector in 0..VECTORS {
                        sums[row][vector] = sums[row][vector].add_product(value, columns[vector]);
                    }
                }
            };
        }
        let mut at = 0;
        while at + 4 <= inner {
            step!(at);
            step!(at + 1);
            step!(at + 2);
            step!(at + 3);
            at += 4;
        }
        while at < inner {
            step!(at);
            at += 1;
        }
        for row in 0..ROWS {
            for vector in 0..VECTORS {
                let place = c.add(row * stride + vector * L::WIDTH);
                let sum = sums[row][vector];
                let sum = if add { L::load(place).add(sum) } else { sum };
                sum.store(place);
            }
        }
    }
}

/// The tiles of an instruction set, compiled for it.
macro_rules! tiles {
    ($lanes:ty, $rows:literal, $vectors:literal, $narrow:literal $(, $feature:literal)?) => {
        pub(super) static TILES: Tiles = Tiles {
            rows: $rows,
            columns: $vectors * <$lanes as Lanes>::WIDTH,
            wide: layouts::<$vectors>(),
            narrow: layouts::<$narrow>(),
        };

        const fn layouts<const VECTORS: usize>() -> [Tile; 2 + IN_PLACE.len()] {
            [
                compiled::<VECTORS, ROW_STRIDE, 1>,
                compiled::<VECTORS, 1, $rows>,
                compiled::<VECTORS, { IN_PLACE[0] }, 1>,
                compiled::<VECTORS, { IN_PLACE[1] }, 1>,
                compiled::<VECTORS, { IN_PLACE[2] }, 1>,
                compiled::<VECTORS, { IN_PLACE[3] }, 1>,
            ]
        }

        $(#[target_feature(enable = $feature)])?
        unsafe fn compiled<const VECTORS: usize, const STRIDE: usize, const STEP: usize>(
            inner: usize,
            a: *const f32,
            b: *const f32,
            c: *mut f32,
            stride: usize,
            add: bool,
        ) {
            // SAFETY: the caller's promise, and the instructions are those this function is compiled for.
            unsafe { tile::<$lanes, $rows, VECTORS, STRIDE, STEP>(inner, a, b, c, stride, add) }
        }
    };
}

mod plain {
    use super::*;

    impl Lanes for [f32; 4] {
        const WIDTH: usize = 4;
        #[inline(always)]
        unsafe fn zero() -> Self {
            [0.0; 4]
        }
        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            [value; 4]
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: four floats can be read by the caller's promise.
            unsafe { from.cast::<Self>().read_unaligned() }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: four floats can be written by the caller's promise.
            unsafe { to.cast::<Self>().write_unaligned(self) }
        }
        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            std::array::from_fn(|lane| self[lane] + other[lane])
        }
        #[inline(always)]
        unsafe fn add_product(self, a: Self, b: Self) -> Self {
            std::array::from_fn(|lane| self[lane] + a[lane] * b[lane])
        }
    }

    tiles!([f32; 4], 4, 2, 1);
}

/// A vector register of the processor as [`Lanes`], by the instructions for what each method does.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! lanes {
    ($lanes:ty, $width:literal, zero: $zero:expr, splat: $splat:ident, load: $load:ident, store: $store:ident,
     add: $add:ident, add_product: |$sum:ident, $x:ident, $y:ident| $add_product:expr
     $(, prefetch: |$from:ident| $prefetch:expr)?) => {
        // SAFETY of all methods: by the promise of their callers the processor has the instructions of the type, and as
        // many floats as a register holds can be read or written. A prefetch never faults.
        impl Lanes for $lanes {
            const WIDTH: usize = $width;
            #[inline(always)]
            unsafe fn zero() -> Self {
                unsafe { $zero }
            }
            #[inline(always)]
            unsafe fn splat(value: f32) -> Self {
                unsafe { $splat(value) }
            }
            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self {
                unsafe { $load(from) }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut f32) {
                unsafe { $store(to, self) }
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                unsafe { $add(self, other) }
            }
            #[inline(always)]
            unsafe fn add_product(self, $x: Self, $y: Self) -> Self {
                let $sum = self;
                unsafe { $add_product }
            }
            $(#[inline(always)]
            unsafe fn prefetch($from: *const f32) {
                unsafe { $prefetch }
            })?
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::*;
    use std::arch::x86_64::*;

    lanes!(
        __m256, 8, zero: _mm256_setzero_ps(), splat: _mm256_set1_ps, load: _mm256_loadu_ps,
        store: _mm256_storeu_ps, add: _mm256_add_ps, add_product: |sum, x, y| _mm256_fmadd_ps(x, y, sum),
        prefetch: |from| _mm_prefetch::<_MM_HINT_T0>(from.cast())
    );
    tiles!(__m256, 6, 2, 1, "avx2,fma");
}

#[cfg(all(target_arch = "x86_64", feature = "avx512"))]
mod avx512 {
    use super::*;
    use std::arch::x86_64::*;

    lanes!(
        __m512, 16, zero: _mm512_setzero_ps(), splat: _mm512_set1_ps, load: _mm512_loadu_ps,
        store: _mm512_storeu_ps, add: _mm512_add_ps, add_product: |sum, x, y| _mm512_fmadd_ps(x, y, sum),
        prefetch: |from| _mm_prefetch::<_MM_HINT_T0>(from.cast())
    );
    tiles!(__m512, 13, 2, 1, "avx512f");
}

#[cfg(target_arch = "aarch64")]
mod neon {
    use super::*;
    use std::arch::aarch64::*;

    lanes!(
        float32x4_t, 4, zero: vdupq_n_f32(0.0), splat: vdupq_n_f32, load: vld1q_f32, store: vst1q_f32,
        add: vaddq_f32, add_product: |sum, x, y| vfmaq_f32(sum, x, y)
    );
    tiles!(float32x4_t, 6, 4, 2);
}
