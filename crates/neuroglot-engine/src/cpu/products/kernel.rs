//! What multiplies: tiles in vector registers, or a matrix unit.

#[cfg(all(target_arch = "x86_64", target_os = "linux", feature = "avx512"))]
use super::amx;
use super::tile::{self, PanelOrder, Tiles};

/// What multiplies a tile of the result.
#[derive(Clone, Copy)]
pub(super) enum Kernel {
    /// Vector registers.
    Tiles(&'static Tiles),
    /// The matrix unit of the processor.
    #[cfg(all(target_arch = "x86_64", target_os = "linux", feature = "avx512"))]
    Amx,
}

/// Whether products may run on a matrix unit of the processor (AMX), as exact as in vector registers.
pub fn has_matrix_unit() -> bool {
    !matches!(Kernel::best(PanelOrder::Rows, true), Kernel::Tiles(_))
}

impl Kernel {
    /// The fastest that this processor has for operands stored so.
    pub(super) fn best(order_of_a: PanelOrder, b_is_transposed: bool) -> Self {
        #[cfg(all(target_arch = "x86_64", target_os = "linux", feature = "avx512"))]
        if order_of_a == PanelOrder::Rows && b_is_transposed && amx::is_available() {
            return Kernel::Amx;
        }
        let _ = (order_of_a, b_is_transposed);
        Self::tiles()
    }

    /// Vector registers, for operands stored in any order.
    pub(super) fn tiles() -> Self {
        Kernel::Tiles(Tiles::best())
    }

    /// Rows of a tile.
    pub(super) fn rows(self) -> usize {
        match self {
            Kernel::Tiles(tiles) => tiles.rows,
            #[cfg(all(target_arch = "x86_64", target_os = "linux", feature = "avx512"))]
            Kernel::Amx => amx::SIDE,
        }
    }

    /// Columns of a panel of b.
    pub(super) fn columns(self) -> usize {
        match self {
            Kernel::Tiles(tiles) => tiles.columns,
            #[cfg(all(target_arch = "x86_64", target_os = "linux", feature = "avx512"))]
            Kernel::Amx => amx::SIDE,
        }
    }

    /// Columns of a panel that holds `columns` in use: tiles have a narrow form.
    pub(super) fn width_of(self, columns: usize) -> usize {
        match self {
            Kernel::Tiles(tiles) if columns <= tiles.columns / 2 => tiles.columns / 2,
            _ => self.columns(),
        }
    }

    /// Rows of a block at most, of a product of `rows` rows: few enough for what tiles read of them, or a stripe of the
    /// result, to stay in a near cache.
    #[cfg_attr(
        not(all(target_arch = "x86_64", target_os = "linux", feature = "avx512")),
        allow(unused_variables)
    )]
    pub(super) fn rows_of_block(self, rows: usize, order: PanelOrder) -> usize {
        match (self, order) {
            (Kernel::Tiles(_), PanelOrder::Rows) => 52,
            // Longer runs are better where a is read along its columns.
            (Kernel::Tiles(_), PanelOrder::Inner) => 96,
            // A few rows should make work for several threads; many should read the panels of b seldom.
            #[cfg(all(target_arch = "x86_64", target_os = "linux", feature = "avx512"))]
            (Kernel::Amx, _) => {
                if rows <= 4 * amx::SIDE {
                    2 * amx::SIDE
                } else {
                    4 * amx::SIDE
                }
            }
        }
    }

    /// Inner floats worked on before a tile is stored.
    pub(super) fn depth(self) -> usize {
        match self {
            Kernel::Tiles(_) => tile::DEPTH,
            #[cfg(all(target_arch = "x86_64", target_os = "linux", feature = "avx512"))]
            Kernel::Amx => amx::DEPTH,
        }
    }

    /// Floats of memory that `inner` floats of a column of b take in its panel.
    pub(super) fn floats_of_column(self, inner: usize) -> usize {
        match self {
            Kernel::Tiles(_) => inner,
            #[cfg(all(target_arch = "x86_64", target_os = "linux", feature = "avx512"))]
            Kernel::Amx => inner.div_ceil(amx::STEP) * amx::FLOATS_OF_STEP,
        }
    }

    /// In how many groups the columns of few rows, in so many blocks, are shared out to threads.
    #[cfg_attr(
        not(all(target_arch = "x86_64", target_os = "linux", feature = "avx512")),
        allow(unused_variables)
    )]
    pub(super) fn groups(self, threads: usize, blocks: usize) -> usize {
        match self {
            Kernel::Tiles(_) => 4 * threads,
            // Rows are split anew for each group.
            #[cfg(all(target_arch = "x86_64", target_os = "linux", feature = "avx512"))]
            Kernel::Amx => (4 * threads).div_ceil(blocks),
        }
    }
}
