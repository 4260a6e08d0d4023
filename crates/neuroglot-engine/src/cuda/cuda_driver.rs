//! The driver of an NVIDIA GPU.

use super::cublas_lt::{CublasLt, WORKSPACE};
use super::device::CudaDevice;
use super::driver::{Address, Driver, Launch, THREADS};
use super::kernels::Kernels;
use super::libraries::{check, info, memory_clock_and_width, require_libraries, start_driver};
use super::marks::{Marks, check_intervals};
use super::nccl::{self, Communicator};
use super::product::{Precision, Product};
use super::queue::Queue;
use super::rates::Rates;
use super::staging::Staging;
use crate::EngineError;
use cudarc::driver::sys;
use std::ffi::c_void;
use std::ptr::null_mut;

/// Least major compute capability: TF32, bf16 and enough shared memory for the attention begin there.
const LEAST_CAPABILITY: u32 = 8;

/// Runs work on an NVIDIA GPU.
pub struct CudaDriver {
    // Dropped in this order: all of it belongs to the context of the queue.
    communicator: Option<Communicator>,
    products: CublasLt,
    kernels: Kernels,
    staging: Staging,
    marks: Marks,
    queue: Queue,
    description: String,
    rates: Rates,
}

/// A pass that the GPU repeats without the host.
pub struct Graph(sys::CUgraphExec);

// SAFETY: as for `Queue`.
unsafe impl Send for Graph {}

impl Drop for Graph {
    fn drop(&mut self) {
        // SAFETY: made by `end_recording` and not destroyed elsewhere. A failure would only leak it.
        let _ = unsafe { sys::cuGraphExecDestroy(self.0) };
    }
}

impl CudaDevice<CudaDriver> {
    /// Opens the GPU of this number (0: the first that the driver lists) with an empty arena.
    ///
    /// # Errors
    /// [`EngineError::CudaDriverMissing`], [`EngineError::CudaLibraryMissing`] or [`EngineError::CudaDeviceMissing`]
    /// where one of them is not there, [`EngineError::CudaDeviceTooOld`] below compute capability 8.0,
    /// [`EngineError::CudaKernels`] where the kernels do not compile, [`EngineError::OutOfMemory`] where the GPU is
    /// full, and [`EngineError::Cuda`] where it fails.
    pub fn open(index: usize, precision: Precision) -> Result<Self, EngineError> {
        Self::with_driver(CudaDriver::open(index)?, precision)
    }
}

impl CudaDriver {
    /// See [`CudaDevice::open`].
    fn open(index: usize) -> Result<Self, EngineError> {
        let count = start_driver()?;
        if index >= count {
            return Err(EngineError::CudaDeviceMissing { index, count });
        }
        require_libraries()?;
        let info = info(index)?;
        if info.capability.0 < LEAST_CAPABILITY {
            let (major, minor) = info.capability;
            return Err(EngineError::CudaDeviceTooOld { name: info.name, major, minor });
        }
        let queue = Queue::new(index)?;
        let staging = Staging::new()?;
        let kernels = Kernels::new(info.capability)?;
        let products = CublasLt::new(queue.allocate(WORKSPACE)?)?;
        let description = format!("cuda:{index}, {}", info.name);
        let rates = Rates::of(&info.name, memory_clock_and_width(index)?);
        Ok(Self {
            communicator: None,
            products,
            kernels,
            staging,
            marks: Marks::default(),
            queue,
            description,
            rates,
        })
    }
}

impl Driver for CudaDriver {
    type Recording = Graph;

    fn description(&self) -> String {
        self.description.clone()
    }

    fn spare_bytes(&self) -> Result<usize, EngineError> {
        self.queue.make_current()?;
        let (mut spare, mut all) = (0, 0);
        // SAFETY: the places written to outlive the call.
        check("cuMemGetInfo", unsafe { sys::cuMemGetInfo_v2(&raw mut spare, &raw mut all) })?;
        Ok(spare)
    }

    fn allocate(&mut self, bytes: usize) -> Result<Address, EngineError> {
        self.queue.allocate(bytes)
    }

    fn release(&mut self, address: Address) -> Result<(), EngineError> {
        self.synchronise()?;
        // SAFETY: made by `allocate`, and no work is left that could use it.
        check("cuMemFree", unsafe { sys::cuMemFree_v2(address.0) })
    }

    fn upload(&mut self, to: Address, bytes: &[u8]) -> Result<(), EngineError> {
        self.queue.make_current()?;
        self.staging.upload(to, bytes, self.queue.stream())
    }

    fn download(&self, from: Address, bytes: &mut [u8]) -> Result<(), EngineError> {
        self.queue.make_current()?;
        // SAFETY: the bytes are borrowed until the copy is done: the stream is waited for.
        unsafe {
            let queued = sys::cuMemcpyDtoHAsync_v2(
                bytes.as_mut_ptr().cast(),
                from.0,
                bytes.len(),
                self.queue.stream(),
            );
            check("cuMemcpyDtoHAsync", queued)?;
        }
        self.synchronise()
    }

    fn copy(&mut self, from: Address, to: Address, bytes: usize) -> Result<(), EngineError> {
        self.queue.make_current()?;
        // SAFETY: both lie in memory of this driver, which is released only after all work is done.
        let queued = unsafe { sys::cuMemcpyDtoDAsync_v2(to.0, from.0, bytes, self.queue.stream()) };
        check("cuMemcpyDtoDAsync", queued)
    }

    fn fill(&mut self, at: Address, floats: usize, value: f32) -> Result<(), EngineError> {
        self.queue.make_current()?;
        // SAFETY: as for `copy`.
        let queued = unsafe { sys::cuMemsetD32Async(at.0, value.to_bits(), floats, self.queue.stream()) };
        check("cuMemsetD32Async", queued)
    }

    fn launch(&mut self, launch: &Launch) -> Result<(), EngineError> {
        self.queue.make_current()?;
        let function = self.kernels.function(launch)?;
        let mut pointers: Vec<*mut c_void> =
            launch.arguments.iter().map(|argument| argument.as_ptr().cast_mut().cast()).collect();
        // SAFETY: the arguments have the kernel's number and sizes (a test compares them with the sources), and the
        // driver copies them.
        unsafe {
            let queued = sys::cuLaunchKernel(
                function,
                launch.blocks[0],
                launch.blocks[1],
                1,
                THREADS,
                1,
                1,
                launch.shared_bytes as u32,
                self.queue.stream(),
                pointers.as_mut_ptr(),
                null_mut(),
            );
            check("cuLaunchKernel", queued)
        }
    }

    fn multiply(&mut self, product: &Product) -> Result<(), EngineError> {
        self.queue.make_current()?;
        self.products.multiply(product, self.queue.stream().cast())
    }

    fn adds_terms(&mut self, product: &Product) -> Result<bool, EngineError> {
        self.queue.make_current()?;
        self.products.find_plan(product)
    }

    fn begin_recording(&mut self) -> Result<(), EngineError> {
        self.queue.make_current()?;
        let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        // SAFETY: the stream is alive.
        let begun = unsafe { sys::cuStreamBeginCapture_v2(self.queue.stream(), mode) };
        check("cuStreamBeginCapture", begun)
    }

    fn end_recording(&mut self) -> Result<Graph, EngineError> {
        self.queue.make_current()?;
        let (mut graph, mut executable) = (null_mut(), null_mut());
        // SAFETY: the places written to outlive the calls; the graph is not needed once it is instantiated.
        unsafe {
            check("cuStreamEndCapture", sys::cuStreamEndCapture(self.queue.stream(), &raw mut graph))?;
            let made = sys::cuGraphInstantiateWithFlags(&raw mut executable, graph, 0);
            let destroyed = sys::cuGraphDestroy(graph);
            check("cuGraphInstantiate", made)?;
            let executable = Graph(executable);
            check("cuGraphDestroy", destroyed)?;
            Ok(executable)
        }
    }

    fn replay(&mut self, graph: &Graph) -> Result<(), EngineError> {
        self.queue.make_current()?;
        // SAFETY: graph and stream are alive.
        check("cuGraphLaunch", unsafe { sys::cuGraphLaunch(graph.0, self.queue.stream()) })
    }

    fn synchronise(&self) -> Result<(), EngineError> {
        self.queue.synchronise()
    }

    fn rates(&self) -> Rates {
        self.rates
    }

    fn check_intervals(&self) -> Result<(), EngineError> {
        check_intervals()
    }

    fn mark(&mut self) -> Result<(), EngineError> {
        self.queue.make_current()?;
        self.marks.set(self.queue.stream())
    }

    fn take_intervals(&mut self) -> Result<Vec<f64>, EngineError> {
        self.synchronise()?;
        self.marks.take_intervals()
    }

    fn group_id(&self) -> Result<Vec<u8>, EngineError> {
        nccl::group_id()
    }

    fn join_group(&mut self, id: &[u8], rank: usize, ranks: usize) -> Result<(), EngineError> {
        self.queue.make_current()?;
        self.communicator = Some(Communicator::join(id, rank, ranks)?);
        Ok(())
    }

    fn ranks(&self) -> usize {
        self.communicator.as_ref().map_or(1, |communicator| communicator.ranks)
    }

    fn sum_over_ranks(&mut self, at: Address, floats: usize) -> Result<(), EngineError> {
        let Some(communicator) = &self.communicator else { return Ok(()) };
        self.queue.make_current()?;
        communicator.sum(at, floats, self.queue.stream())
    }

    fn broadcast(&mut self, at: Address, floats: usize, from: usize) -> Result<(), EngineError> {
        let Some(communicator) = &self.communicator else { return Ok(()) };
        self.queue.make_current()?;
        communicator.broadcast(at, floats, from, self.queue.stream())
    }

    fn wait_for_ranks(&mut self) -> Result<(), EngineError> {
        let Some(communicator) = &self.communicator else { return Ok(()) };
        self.queue.make_current()?;
        communicator.wait(self.queue.stream())
    }
}

impl Drop for CudaDriver {
    fn drop(&mut self) {
        // What is given back next must not be in use. A failure could only be that of earlier work.
        let _ = self.synchronise();
    }
}
