//! What a process uses: processor time and memory, as the operating system tells them.

use std::time::Duration;

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// What a process has used from its start on, and the memory that it has at this moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    /// Of all its threads together, to about 10 ms.
    pub(super) cpu: Duration,
    /// Resident, in bytes.
    pub(super) memory: u64,
}

impl Usage {
    /// None if the process has ended, or the system does not tell.
    pub(super) fn of(process: u32) -> Option<Self> {
        let id = Pid::from_u32(process);
        let mut system = System::new().ok()?;
        let what = ProcessRefreshKind::nothing().with_cpu().with_memory();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[id]), false, what);
        let process = system.process(id)?;
        Some(Self { cpu: Duration::from_millis(process.accumulated_cpu_time()), memory: process.memory() })
    }

    /// Of this very process.
    pub(super) fn own() -> Self {
        Self::of(std::process::id()).unwrap_or_default()
    }
}
