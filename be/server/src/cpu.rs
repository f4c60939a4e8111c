//! How busy the machine's CPUs have been lately, for heartbeats.

/// Less than this many ticks say nothing.
const TICKS_MIN: u64 = 20;

/// Between two looks.
#[derive(Debug, Default)]
pub struct CpuUse {
    total: u64,
    idle: u64,
    permille: u32,
}

impl CpuUse {
    /// Thousandths of the time since the last look that CPUs were busy. `modes`: ticks since the machine's start.
    pub fn look(&mut self, modes: &[(&'static str, u64)]) -> u32 {
        // Guests are in `user` already.
        let sum = |of: &dyn Fn(&str) -> bool| modes.iter().filter(|(name, _)| of(name)).map(|(_, ticks)| ticks).sum::<u64>();
        let (total, idle) = (sum(&|name| name != "guest"), sum(&|name| matches!(name, "idle" | "iowait")));
        let (passed, rested) = (total.saturating_sub(self.total), idle.saturating_sub(self.idle));
        if passed >= TICKS_MIN {
            // The first look has nothing to compare with but the machine's start.
            self.permille = (passed.saturating_sub(rested) * 1000 / passed) as u32;
            (self.total, self.idle) = (total, idle);
        }
        self.permille
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_is_the_time_since_the_last_look() {
        let mut cpu = CpuUse::default();
        assert_eq!(cpu.look(&[]), 0);
        assert_eq!(cpu.look(&[("user", 100), ("idle", 250), ("iowait", 50), ("guest", 70)]), 250);
        assert_eq!(cpu.look(&[("user", 105), ("idle", 250), ("iowait", 50)]), 250, "too soon");
        assert_eq!(cpu.look(&[("user", 200), ("idle", 250), ("iowait", 50)]), 1000);
    }
}
