//! What a process uses, and what nobody here could use: processor time and memory, as the operating system tells them.

use std::{fs, time::Duration};

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

/// The processor time that a virtual machine's host gave to others since the start, while somebody here wanted it, of all
/// cores together. Zero where the system tells of none.
///
/// The eighth figure of the first line of `/proc/stat`, in hundredths of a second (proc(5)).
pub(super) fn stolen() -> Duration {
    fs::read_to_string("/proc/stat").ok().and_then(|told| stolen_in(&told)).unwrap_or_default()
}

/// What it gave to others since it had given that much.
pub(super) fn stolen_since(before: Duration) -> Duration {
    stolen().saturating_sub(before)
}

fn stolen_in(told: &str) -> Option<Duration> {
    let figures = told.lines().next()?.strip_prefix("cpu ")?;
    figures.split_whitespace().nth(7)?.parse().ok().map(|hundredths: u64| Duration::from_millis(hundredths * 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_host_took_is_the_eighth_figure() {
        let check =
            |told: &str, expected: Option<u64>| assert_eq!(stolen_in(told), expected.map(Duration::from_millis));
        check("cpu  10 20 30 40 50 60 70 123 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n", Some(1_230));
        check("cpu  10 20 30 40\n", None); // A kernel before 2.6.11.
        check("", None);
    }
}
