//! Products by cuBLASLt, with its choice of algorithm kept per shape.

use super::driver::Address;
use super::product::{ColumnMajor, Precision, Product, TermSums};
use crate::EngineError;
use cudarc::cublaslt::{result, sys};
use std::collections::HashMap;
use std::ffi::c_void;

/// Bytes of workspace: what NVIDIA advises for its largest GPUs.
pub(super) const WORKSPACE: usize = 32 << 20;

/// The library, and what it chose for each product seen so far.
pub(super) struct CublasLt {
    handle: sys::cublasLtHandle_t,
    /// `None` where it has no way to add up the terms.
    plans: HashMap<Shape, Option<Plan>>,
    workspace: Address,
}

// SAFETY: the library may be called from any thread that holds the context, and this is used by one at a time.
unsafe impl Send for CublasLt {}

/// What the choice of an algorithm depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Shape {
    sizes: [usize; 3],
    strides: [usize; 2],
    transposed: [bool; 2],
    precision: Precision,
    has_addend: bool,
    epilogue: u32,
    /// Of both factors, C and D, up to 256 bytes.
    alignments: [u32; 4],
}

/// How to compute products of a shape.
struct Plan {
    descriptions: Descriptions,
    algorithm: sys::cublasLtMatmulAlgo_t,
    workspace: usize,
}

/// A product in the library's terms.
struct Descriptions {
    operation: Operation,
    first: Layout,
    second: Layout,
    result: Layout,
}

/// Owned descriptions of the library.
struct Operation(sys::cublasLtMatmulDesc_t);
struct Layout(sys::cublasLtMatrixLayout_t);
struct Preference(sys::cublasLtMatmulPreference_t);

impl Drop for Operation {
    fn drop(&mut self) {
        // SAFETY: made by the library and not destroyed elsewhere. A failure would only leak it; so below.
        let _ = unsafe { result::destroy_matmul_desc(self.0) };
    }
}

impl Drop for Layout {
    fn drop(&mut self) {
        // SAFETY: as above.
        let _ = unsafe { result::destroy_matrix_layout(self.0) };
    }
}

impl Drop for Preference {
    fn drop(&mut self) {
        // SAFETY: as above.
        let _ = unsafe { result::destroy_matmul_pref(self.0) };
    }
}

fn failed(call: &'static str) -> impl Fn(result::CublasError) -> EngineError {
    move |error| EngineError::Cuda { call, reason: error.to_string() }
}

/// The largest power of two, up to 256, that divides an address.
fn alignment(address: Address) -> u32 {
    1 << address.0.trailing_zeros().min(8)
}

/// What the library does besides the product. Its factors are ours in the other order.
fn epilogue(product: &Product) -> sys::cublasLtEpilogue_t {
    use sys::cublasLtEpilogue_t::*;
    match (product.bias, product.sums) {
        (None, None) => CUBLASLT_EPILOGUE_DEFAULT,
        (_, None) => CUBLASLT_EPILOGUE_BIAS,
        (_, Some(TermSums::OfA(_))) => CUBLASLT_EPILOGUE_BGRADB,
        (_, Some(TermSums::OfB(_))) => CUBLASLT_EPILOGUE_BGRADA,
    }
}

/// What the epilogue reads or writes.
fn beside(product: &Product) -> Option<Address> {
    product.bias.or(product.sums.map(TermSums::address))
}

impl Shape {
    fn of(product: &Product) -> Self {
        let ColumnMajor { m, n, k, first, second } = ColumnMajor::of(product);
        let addend = product.addend.unwrap_or(product.to);
        Self {
            sizes: [m, n, k],
            strides: [first.stride, second.stride],
            transposed: [first.transposed, second.transposed],
            precision: product.precision,
            has_addend: product.addend.is_some(),
            epilogue: epilogue(product) as u32,
            alignments: [first.address, second.address, addend, product.to].map(alignment),
        }
    }
}

impl Operation {
    /// # Safety
    /// `T` must be the attribute's type.
    unsafe fn set<T>(
        &self,
        attribute: sys::cublasLtMatmulDescAttributes_t,
        value: &T,
    ) -> Result<(), EngineError> {
        // SAFETY: the library copies the value; the caller answers for its type.
        unsafe {
            result::set_matmul_desc_attribute(self.0, attribute, (&raw const *value).cast(), size_of::<T>())
        }
        .map_err(failed("cublasLtMatmulDescSetAttribute"))
    }
}

impl Preference {
    /// # Safety
    /// `T` must be the attribute's type.
    unsafe fn set<T>(
        &self,
        attribute: sys::cublasLtMatmulPreferenceAttributes_t,
        value: &T,
    ) -> Result<(), EngineError> {
        // SAFETY: as for `Operation::set`.
        unsafe {
            result::set_matmul_pref_attribute(self.0, attribute, (&raw const *value).cast(), size_of::<T>())
        }
        .map_err(failed("cublasLtMatmulPreferenceSetAttribute"))
    }
}

impl CublasLt {
    /// `workspace` has [`WORKSPACE`] bytes and is given back in the end. Needs a current context.
    pub fn new(workspace: Address) -> Result<Self, EngineError> {
        let handle = result::create_handle().map_err(failed("cublasLtCreate"))?;
        Ok(Self { handle, plans: HashMap::new(), workspace })
    }

    /// Queues a product.
    pub fn multiply(&mut self, product: &Product, stream: sys::cudaStream_t) -> Result<(), EngineError> {
        self.find_plan(product)?;
        let Some(plan) = &self.plans[&Shape::of(product)] else {
            let reason = "it does not add up the terms of this product".to_string();
            return Err(EngineError::Cuda { call: "cublasLtMatmul", reason });
        };
        if let Some(beside) = beside(product) {
            // SAFETY: the attribute is an address on the device.
            unsafe {
                use sys::cublasLtMatmulDescAttributes_t::CUBLASLT_MATMUL_DESC_BIAS_POINTER;
                plan.descriptions.operation.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, &beside.0)?;
            }
        }
        let one = 1.0f32;
        let beta: f32 = if product.addend.is_some() { 1.0 } else { 0.0 };
        let ColumnMajor { first, second, .. } = ColumnMajor::of(product);
        let pointer = |address: Address| address.0 as *const c_void;
        // SAFETY: the descriptions are alive, the matrices lie on the device as described, and both scales are f32,
        // as the description says.
        unsafe {
            result::matmul(
                self.handle,
                plan.descriptions.operation.0,
                (&raw const one).cast(),
                (&raw const beta).cast(),
                pointer(first.address),
                plan.descriptions.first.0,
                pointer(second.address),
                plan.descriptions.second.0,
                pointer(product.addend.unwrap_or(product.to)),
                plan.descriptions.result.0,
                product.to.0 as *mut c_void,
                plan.descriptions.result.0,
                &raw const plan.algorithm,
                self.workspace.0 as *mut c_void,
                plan.workspace,
                stream,
            )
        }
        .map_err(failed("cublasLtMatmul"))
    }

    /// Whether there is a way to compute a product as it is described.
    pub fn find_plan(&mut self, product: &Product) -> Result<bool, EngineError> {
        let shape = Shape::of(product);
        if let Some(plan) = self.plans.get(&shape) {
            return Ok(plan.is_some());
        }
        let plan = self.plan(product)?;
        Ok(self.plans.entry(shape).or_insert(plan).is_some())
    }

    /// Describes a product and lets the library choose how to compute it.
    fn plan(&self, product: &Product) -> Result<Option<Plan>, EngineError> {
        match self.plan_as_described(product) {
            Err(_) if product.sums.is_some() => Ok(None),
            // The library has no TF32 product of this shape: then it is computed more exactly.
            Err(_) if product.precision == Precision::Tf32 => {
                self.plan_as_described(&Product { precision: Precision::F32, ..*product }).map(Some)
            }
            plan => plan.map(Some),
        }
    }

    fn plan_as_described(&self, product: &Product) -> Result<Plan, EngineError> {
        let descriptions = Descriptions::of(product)?;
        let preference = preference(&Shape::of(product))?;
        // SAFETY: all descriptions are alive.
        let choice = unsafe {
            result::get_matmul_algo_heuristic(
                self.handle,
                descriptions.operation.0,
                descriptions.first.0,
                descriptions.second.0,
                descriptions.result.0,
                descriptions.result.0,
                preference.0,
            )
        }
        .map_err(failed("cublasLtMatmulAlgoGetHeuristic"))?;
        Ok(Plan { descriptions, algorithm: choice.algo, workspace: choice.workspaceSize })
    }
}

impl Descriptions {
    fn of(product: &Product) -> Result<Self, EngineError> {
        use sys::cublasComputeType_t::{CUBLAS_COMPUTE_32F, CUBLAS_COMPUTE_32F_FAST_TF32};
        use sys::cublasLtMatmulDescAttributes_t as attribute;
        use sys::cudaDataType_t::{CUDA_R_16BF, CUDA_R_32F};

        let (compute, factor_type) = match product.precision {
            Precision::F32 => (CUBLAS_COMPUTE_32F, CUDA_R_32F),
            Precision::Tf32 => (CUBLAS_COMPUTE_32F_FAST_TF32, CUDA_R_32F),
            Precision::Bf16 => (CUBLAS_COMPUTE_32F, CUDA_R_16BF),
        };
        let ColumnMajor { m, n, first, second, .. } = ColumnMajor::of(product);
        let operation = result::create_matmul_desc(compute, CUDA_R_32F);
        let operation = Operation(operation.map_err(failed("cublasLtMatmulDescCreate"))?);
        // CUBLAS_OP_T and CUBLAS_OP_N of the header that the bindings leave out.
        let transpositions = [first, second].map(|factor| i32::from(factor.transposed));
        // SAFETY: transpositions are 32-bit integers, the epilogue and the type 32-bit enumerations, what lies beside is an
        // address.
        unsafe {
            operation.set(attribute::CUBLASLT_MATMUL_DESC_TRANSA, &transpositions[0])?;
            operation.set(attribute::CUBLASLT_MATMUL_DESC_TRANSB, &transpositions[1])?;
            operation.set(attribute::CUBLASLT_MATMUL_DESC_EPILOGUE, &(epilogue(product) as u32))?;
            if let Some(beside) = beside(product) {
                operation.set(attribute::CUBLASLT_MATMUL_DESC_BIAS_POINTER, &beside.0)?;
                operation.set(attribute::CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, &(CUDA_R_32F as i32))?;
            }
        }
        let layout = |kind, (rows, columns): (usize, usize), stride: usize| {
            let layout = result::create_matrix_layout(kind, rows as u64, columns as u64, stride as i64);
            layout.map(Layout).map_err(failed("cublasLtMatrixLayoutCreate"))
        };
        let mapped = ColumnMajor::of(product);
        Ok(Self {
            operation,
            first: layout(factor_type, mapped.first_stored(), first.stride)?,
            second: layout(factor_type, mapped.second_stored(), second.stride)?,
            result: layout(CUDA_R_32F, (m, n), m)?,
        })
    }
}

/// What an algorithm for a shape must respect.
fn preference(shape: &Shape) -> Result<Preference, EngineError> {
    use sys::cublasLtMatmulPreferenceAttributes_t as attribute;
    use sys::cublasLtReductionScheme_t::CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;

    let preference = result::create_matmul_pref();
    let preference = Preference(preference.map_err(failed("cublasLtMatmulPreferenceCreate"))?);
    let [first, second, addend, to] = shape.alignments;
    // Sums of parts in the order in which blocks end would differ from run to run.
    let schemes = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE as u32;
    // SAFETY: the workspace is a 64-bit size, all others are 32-bit numbers.
    unsafe {
        preference.set(attribute::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &(WORKSPACE as u64))?;
        preference.set(attribute::CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &schemes)?;
        preference.set(attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &first)?;
        preference.set(attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &second)?;
        preference.set(attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &addend)?;
        preference.set(attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &to)?;
    }
    Ok(preference)
}

impl Drop for CublasLt {
    fn drop(&mut self) {
        self.plans.clear();
        // SAFETY: handle and workspace are this one's own, and the driver waits for all work before. Failures would
        // only leak them.
        unsafe {
            let _ = result::destroy_handle(self.handle);
            let _ = cudarc::driver::sys::cuMemFree_v2(self.workspace.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cuda::Factor;

    #[test]
    fn alignments_are_powers_of_two_up_to_256() {
        for (address, bytes) in [(0, 256), (512, 256), (256 + 64, 64), (4, 4), (7, 1)] {
            assert_eq!(alignment(Address(address)), bytes);
        }
    }

    #[test]
    fn the_library_takes_the_descriptions() {
        // Descriptions need the library, but no GPU.
        if !crate::cuda::libraries::test_library("cublasLt", || {
            // SAFETY: loading NVIDIA's libraries runs their start-up code, which has no preconditions.
            unsafe { sys::is_culib_present() }
        }) {
            return;
        }
        for precision in [Precision::F32, Precision::Tf32, Precision::Bf16] {
            let there = Address(4096);
            for (transposed, bias, sums) in [
                (false, None, None),
                (true, Some(there), None),
                (true, None, Some(TermSums::OfA(there))),
                (false, None, Some(TermSums::OfB(there))),
            ] {
                let factor = |stride| Factor { address: Address(512), stride, transposed };
                let product = Product {
                    rows: 3,
                    columns: 5,
                    inner: 7,
                    a: factor(8),
                    b: factor(16),
                    to: Address(64),
                    addend: None,
                    bias,
                    sums,
                    precision,
                };
                Descriptions::of(&product).unwrap();
                preference(&Shape::of(&product)).unwrap();
            }
        }
    }

    #[test]
    fn products_that_differ_in_addresses_only_share_a_plan() {
        let product = |base: u64| {
            let factor = Factor { address: Address(base), stride: 8, transposed: false };
            Product {
                rows: 4,
                columns: 8,
                inner: 8,
                a: factor,
                b: factor,
                to: Address(2 * base),
                addend: None,
                bias: Some(Address(3 * base)),
                sums: None,
                precision: Precision::Tf32,
            }
        };
        assert_eq!(Shape::of(&product(512)), Shape::of(&product(4096)));
        assert_ne!(Shape::of(&product(512)), Shape::of(&product(64)));
        assert_ne!(Shape::of(&product(512)), Shape::of(&Product { bias: None, ..product(512) }));
    }
}
