//! Device memory that grows.

use super::driver::{Address, Driver};
use crate::EngineError;

/// One piece of device memory, at no place as long as it is empty.
#[derive(Debug, Default)]
pub(super) struct Room {
    memory: Option<(Address, usize)>,
}

impl Room {
    /// Where it begins.
    pub fn address(&self) -> Address {
        self.memory.map_or(Address(0), |(address, _)| address)
    }

    /// How long it is.
    pub fn bytes(&self) -> usize {
        self.memory.map_or(0, |(_, bytes)| bytes)
    }

    /// Becomes `bytes` bytes long, elsewhere; what it held is lost.
    pub fn replace<D: Driver>(&mut self, driver: &mut D, bytes: usize) -> Result<(), EngineError> {
        // Given back first: the two need not fit side by side.
        self.release(driver)?;
        self.memory = Some((driver.allocate(bytes)?, bytes));
        Ok(())
    }

    /// Becomes `bytes` bytes long, elsewhere; what it held comes along, and zeros behind it.
    pub fn extend<D: Driver>(&mut self, driver: &mut D, bytes: usize) -> Result<(), EngineError> {
        let address = driver.allocate(bytes)?;
        if let Some((old, length)) = self.memory.replace((address, bytes)) {
            driver.copy(old, address, length)?;
            driver.release(old)?;
        }
        Ok(())
    }

    /// Gives the memory back.
    pub fn release<D: Driver>(&mut self, driver: &mut D) -> Result<(), EngineError> {
        match self.memory.take() {
            Some((address, _)) => driver.release(address),
            None => Ok(()),
        }
    }
}
