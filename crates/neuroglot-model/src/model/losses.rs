//! Losses of the last steps, kept on the device until somebody asks: a step need not wait for its loss.

use neuroglot_engine::{Device, MemoryPlan, Slot};

/// Steps whose losses the device keeps.
const STEPS: usize = 64;

pub(super) struct Losses {
    on_device: Slot,
    /// How many of them are in use.
    waiting: usize,
    /// Read already, oldest first.
    read: Vec<f32>,
}

impl Losses {
    pub(super) fn new(plan: &mut MemoryPlan) -> Self {
        Self { on_device: plan.slot(STEPS), waiting: 0, read: Vec::new() }
    }

    /// Keeps the loss of one step.
    pub(super) fn push(&mut self, device: &mut dyn Device, loss: Slot) {
        if self.waiting == STEPS {
            self.read(device);
        }
        device.copy(loss, self.on_device.part(self.waiting, 1));
        self.waiting += 1;
    }

    /// All losses since the last call, oldest first.
    pub(super) fn take(&mut self, device: &dyn Device) -> Vec<f32> {
        self.read(device);
        std::mem::take(&mut self.read)
    }

    fn read(&mut self, device: &dyn Device) {
        if self.waiting > 0 {
            let start = self.read.len();
            self.read.resize(start + self.waiting, 0.0);
            device.read(self.on_device.part(0, self.waiting), &mut self.read[start..]);
            self.waiting = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuroglot_engine::CpuDevice;

    #[test]
    fn no_loss_is_lost_however_late_it_is_read() {
        let mut plan = MemoryPlan::new();
        let (loss, mut losses) = (plan.slot(1), Losses::new(&mut plan));
        let mut device = CpuDevice::new(1).unwrap();
        device.reserve(plan.floats()).unwrap();
        for step in 0..3 * STEPS + 5 {
            device.write(loss, &[step as f32]);
            losses.push(&mut device, loss);
        }
        let expected: Vec<f32> = (0..3 * STEPS + 5).map(|step| step as f32).collect();
        assert_eq!(losses.take(&device), expected);
        assert!(losses.take(&device).is_empty());
    }
}
