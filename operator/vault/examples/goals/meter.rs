//! What a stretch of work takes of the machine: CPU, bytes read, memory.

use crate::Outcome;

/// What a stretch of work took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Used {
    /// Seconds of CPU of the process.
    pub(crate) cpu: f64,
    /// Of these, in the kernel: faults of pages, files, syncs.
    pub(crate) system: f64,
    /// Bytes read from files.
    pub(crate) read: f64,
    /// Most resident memory, MiB, above what was there before.
    pub(crate) rss: f64,
}

/// A stretch of work that has begun.
#[derive(Debug)]
pub(crate) struct Meter {
    user: f64,
    system: f64,
    read: f64,
    rss: f64,
}

impl Meter {
    /// Begins; the peak of memory of what came before is forgotten.
    pub(crate) fn start() -> Outcome<Self> {
        std::fs::write("/proc/self/clear_refs", "5")?;
        let (user, system) = cpu()?;
        Ok(Self { user, system, read: read()?, rss: status("VmRSS:")? })
    }

    /// Ends.
    pub(crate) fn stop(self) -> Outcome<Used> {
        let (user, system) = cpu()?;
        Ok(Used {
            cpu: (user + system - self.user - self.system).max(0.005),
            system: system - self.system,
            read: read()? - self.read,
            rss: (status("VmHWM:")? - self.rss).max(0.0) / 1024.0,
        })
    }
}

/// Seconds of CPU of this process, its own and the kernel's for it: ticks of 10 ms.
pub(crate) fn cpu() -> Outcome<(f64, f64)> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after = stat.rsplit_once(')').ok_or("no stat")?.1;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks = |at: usize| -> Outcome<f64> { Ok(fields.get(at).ok_or("no stat")?.parse::<f64>()?) };
    Ok((ticks(11)? / 100.0, ticks(12)? / 100.0))
}

fn read() -> Outcome<f64> {
    let io = std::fs::read_to_string("/proc/self/io")?;
    let line = io.lines().find_map(|line| line.strip_prefix("rchar: ")).ok_or("no rchar")?;
    Ok(line.parse()?)
}

fn status(name: &str) -> Outcome<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("no status")?;
    Ok(line.trim_end_matches("kB").trim().parse()?)
}
