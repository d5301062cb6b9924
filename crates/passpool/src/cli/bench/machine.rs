//! The machine: what the numbers are of.

use std::{io::Write as _, path::Path, time::Duration};

use passpool_store::sqlite;
use serde::Serialize;
use sysinfo::{CpuRefreshKind, Disk, Disks, MemoryRefreshKind, RefreshKind, System};

use super::stopwatch::Stopwatch;

/// Everything without which a number means nothing.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Machine {
    pub(super) processor: String,
    pub(super) cores: usize,
    pub(super) memory_bytes: u64,
    pub(super) system: String,
    pub(super) file_system: String,
    /// How long it takes there until 4 KiB are on the disk, in the middle of many times.
    pub(super) fsync_micros: u64,
    /// What is asked of the store, and how durable its answers are.
    pub(super) store: String,
    /// True if it was built with optimization; else no number means anything.
    pub(super) optimized: bool,
    /// Whether client and server run on the same cores.
    pub(super) shared_cores: bool,
    /// How many threads the client has.
    pub(super) client_threads: usize,
}

impl Machine {
    /// Looks at this machine, and tries out the disk of this folder.
    pub(super) fn of(folder: &Path, client_threads: usize) -> anyhow::Result<Self> {
        let what = RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing())
            .with_memory(MemoryRefreshKind::nothing().with_ram());
        let system = System::new_with_specifics(what)?;
        let unknown = || "unknown".to_owned();
        Ok(Self {
            processor: system.cpus().first().map_or_else(unknown, |cpu| cpu.brand().trim().to_owned()),
            cores: std::thread::available_parallelism()?.get(),
            memory_bytes: system.total_memory(),
            system: System::kernel_long_version().unwrap_or_else(|_| unknown()),
            file_system: file_system(folder),
            fsync_micros: fsync(folder)?.as_micros() as u64,
            store: sqlite::description(),
            optimized: !cfg!(debug_assertions),
            // Nobody is kept to cores of its own.
            shared_cores: true,
            client_threads,
        })
    }

    /// What is told above the table.
    pub(super) fn lines(&self) -> Vec<String> {
        let gigabytes = self.memory_bytes as f64 / f64::from(1 << 30);
        let threads = match self.client_threads {
            1 => "1 thread".to_owned(),
            threads => format!("{threads} threads"),
        };
        let mut lines = vec![
            format!("Machine: {}, {} cores, {gigabytes:.0} GiB, {}", self.processor, self.cores, self.system),
            format!("Client and server share these cores; the client has {threads}"),
            format!("Store: {}: every answer after its fsync", self.store),
            format!("Disk: {}; an fsync of 4 KiB takes {} us", self.file_system, self.fsync_micros),
        ];
        if !self.optimized {
            lines.push("Built without optimization: no number here means anything".into());
        }
        lines
    }
}

/// How many bytes may still be written there, if the system tells.
pub(super) fn free_space(folder: &Path) -> Option<u64> {
    on_disk(folder, Disk::available_space)
}

fn file_system(folder: &Path) -> String {
    let name = on_disk(folder, |disk| disk.file_system().to_string_lossy().into_owned());
    name.unwrap_or_else(|| "unknown".into())
}

/// Of the disk that is mounted nearest.
fn on_disk<T>(folder: &Path, tell: impl FnOnce(&Disk) -> T) -> Option<T> {
    let folder = folder.canonicalize().ok()?;
    let disks = Disks::new_with_refreshed_list().ok()?;
    let above = disks.iter().filter(|disk| folder.starts_with(disk.mount_point()));
    above.max_by_key(|disk| disk.mount_point().as_os_str().len()).map(tell)
}

/// Appends to a file as a log does.
fn fsync(folder: &Path) -> anyhow::Result<Duration> {
    const TIMES: usize = 41;
    let mut file = tempfile::tempfile_in(folder)?;
    let mut took = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let watch = Stopwatch::start();
        file.write_all(&[7; 4_096])?;
        file.sync_data()?;
        took.push(watch.elapsed());
    }
    took.sort_unstable();
    Ok(took[TIMES / 2])
}
